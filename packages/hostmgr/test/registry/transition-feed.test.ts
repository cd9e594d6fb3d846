import { describe, expect, it } from "vitest";
import { type FeedItem, type RegistryTransition, TransitionFeed } from "../../src/index.ts";

const transition = (seq: number, key = "a"): RegistryTransition => ({
  seq,
  key,
  from: "healthy",
  to: "down",
  reason: "",
  evidence: "",
  atMs: seq,
  isInMaintenance: false,
});
const many = (count: number) => Array.from({ length: count }, (_, i) => transition(i));

/** What waits for a watcher, in short. */
async function take(items: AsyncIterator<FeedItem>, count: number): Promise<(number | string)[]> {
  const taken: (number | string)[] = [];
  for (let i = 0; i < count; i++) {
    const { done, value } = await items.next();
    if (done === true) taken.push("end");
    else taken.push(value.is === "missed" ? `missed ${value.count}` : value.transition.seq);
  }
  return taken;
}

describe("a feed of transitions", () => {
  it("tells each watcher what was published since it began, in order", async () => {
    const feed = new TransitionFeed();
    feed.publish(many(1));
    const first = feed.watch();
    feed.publish([transition(1)]);
    const second = feed.watch();
    feed.publish([transition(2), transition(3)]);
    expect(await take(first, 3)).toEqual([1, 2, 3]);
    expect(await take(second, 2)).toEqual([2, 3]);
  });

  it("tells one who is waiting at once", async () => {
    const feed = new TransitionFeed();
    const next = feed.watch().next();
    feed.publish(many(1));
    expect((await next).value).toMatchObject({ transition: { seq: 0 } });
  });

  it("tells a slow one how many it has missed, keeps the newest, and holds up nobody", async () => {
    const feed = new TransitionFeed();
    const slow = feed.watch({ bufferMax: 3 });
    const quick = feed.watch();
    for (const each of many(10)) feed.publish([each]);
    expect(await take(slow, 4)).toEqual(["missed 7", 7, 8, 9]);
    expect(await take(quick, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    feed.publish(many(1));
    expect(await take(slow, 1)).toEqual([0]);
    expect(feed.stats()).toEqual({ watchers: 2, published: 11, missed: 7 });
  });

  it("tells only what is asked for; what is not misses nothing", async () => {
    const feed = new TransitionFeed();
    const one = feed.watch({ bufferMax: 1, filter: ({ key }) => key === "b" });
    feed.publish([...many(10), transition(10, "b"), ...many(10)]);
    expect(await take(one, 1)).toEqual([10]);
  });

  it("ends with its signal, when it is left, and with the feed once all is told", async () => {
    const feed = new TransitionFeed();
    const abort = new AbortController();
    const waiting = take(feed.watch({ signal: abort.signal }), 1);
    abort.abort();
    expect(await waiting).toEqual(["end"]);
    expect(await take(feed.watch({ signal: AbortSignal.abort() }), 1)).toEqual(["end"]);
    const left = feed.watch();
    feed.publish(many(1));
    for await (const _ of left) break;
    expect(feed.stats().watchers).toBe(0);
    const last = feed.watch();
    feed.publish(many(1));
    feed.close();
    expect(await take(last, 2)).toEqual([0, "end"]);
  });

  it("turns down one watcher more than allowed", () => {
    const feed = new TransitionFeed(1);
    feed.watch();
    expect(() => feed.watch()).toThrow("expected at most 1 watchers");
  });
});
