import { setTimeout as delay } from "node:timers/promises";
import { LevelStore } from "@mon/level-store";

/** Loaded before a broker, it makes each flush take long enough to look at the broker meanwhile. */
const writeMs = 1_500;
const write = LevelStore.prototype.write;

LevelStore.prototype.write = async function (fragments) {
  await delay(writeMs);
  return write.call(this, fragments);
};
