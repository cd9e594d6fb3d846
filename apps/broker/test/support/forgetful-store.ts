import { LevelStore } from "@mon/level-store";
import type { Fragment, WriteFate } from "@mon/store";

/**
 * Loaded before a broker, it breaks the broker's promise: one fragment in a thousand is acknowledged and never written.
 * A test that does not notice proves nothing.
 */
const write = LevelStore.prototype.write;
let fragmentsSeen = 0;

LevelStore.prototype.write = async function (fragments): Promise<readonly WriteFate[]> {
  const isForgotten = fragments.map(() => ++fragmentsSeen % 1_000 === 0);
  const kept: Fragment[] = fragments.filter((_, i) => !isForgotten[i]);
  const fates = [...(await write.call(this, kept))];
  return isForgotten.map((forgotten) =>
    forgotten ? { status: "stored", durability: "fsync", copies: 1 } : fates.shift()!,
  );
};
