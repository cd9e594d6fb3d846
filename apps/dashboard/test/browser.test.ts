import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Aggregation, Kind } from "@mon/proto";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { BrokerProcess } from "./support/broker-process.ts";
import { launchChromium } from "./support/browser.ts";
import { DamagedBroker } from "./support/damaged-broker.ts";
import { machineReports } from "./support/machine.ts";
import { buildPage } from "./support/page-build.ts";

const pageDir = fileURLToPath(new URL("../dist", import.meta.url));

let browser: Browser;
let broker: BrokerProcess;
/** What the page complained of: broken rules of its security policy, exceptions. */
let complaints: string[] = [];

beforeAll(async () => {
  await buildPage();
  [browser, broker] = await Promise.all([launchChromium(), BrokerProcess.start()]);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await broker?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  const said = complaints;
  complaints = [];
  expect(said).toEqual([]);
});

async function open(hash = "", options: BrowserContextOptions = {}, origin = broker.origin): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // A broker that is down on purpose is no complaint of the page.
    if (message.type() === "error" && !message.text().includes("net::ERR_")) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(`${origin}/${hash}`);
  return page;
}

const host = (page: Page, id: string): Locator => page.locator(`[id="host-${id}"]`);
const figure = async (place: Locator): Promise<number> => Number(await place.getAttribute("value"));

/** What a chart says in words: the instants and the values of each line, by its title. */
async function valuesOf(page: Page, caption: string): Promise<Map<string, Map<number, number>>> {
  const table = page.locator("table", { has: page.locator("caption", { hasText: caption }) });
  await table.first().waitFor({ state: "attached" });
  const rows = await table.first().evaluate((element) => {
    const titles = [...element.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent ?? "");
    return [...element.querySelectorAll("tbody tr")].flatMap((row) =>
      [...row.querySelectorAll("data")].map((cell, index) => ({
        title: titles[index] ?? "",
        timeMs: Date.parse(row.querySelector("time")!.dateTime),
        value: cell.getAttribute("value"),
      })),
    );
  });
  const lines = new Map<string, Map<number, number>>();
  for (const { title, timeMs, value } of rows) {
    if (value === null) continue;
    lines.set(title, (lines.get(title) ?? new Map()).set(timeMs, Number(value)));
  }
  return lines;
}

describe("an empty broker", () => {
  it("shows a command that makes a host appear with its value", async () => {
    const page = await open();
    await page.getByRole("heading", { name: "No host yet" }).waitFor();
    expect(await page.locator(".health").textContent()).toBe("Ready: No host has reported yet.");
    const command = await page.locator(".command code").first().textContent();
    await promisify(execFile)("sh", ["-c", command!]);
    await host(page, "web-1").waitFor();
    await host(page, "web-1").getByText("room_temperature_celsius 21.5\u00a0°C").waitFor();
    await page.getByText("All well").waitFor();
  }, 30_000);
});

describe("a broker with hosts", () => {
  beforeAll(async () => {
    for (const reports of machineReports(["alpha", "beta"], Date.now())) await broker.push(reports);
  }, 30_000);

  it("shows the last values that the query API has", async () => {
    const page = await open();
    const latest = await broker.query.queryLatest({ hosts: ["alpha"] });
    const value = (name: string, labels: Record<string, string>): number =>
      latest.hosts[0]!.values.find(
        ({ sample }) =>
          sample?.name === name &&
          sample.labels.every((label) => (labels[label.name] ?? label.value) === label.value),
      )!.sample!.value;
    await host(page, "alpha").locator(".cpu data").waitFor();
    expect(await figure(host(page, "alpha").locator(".cpu data"))).toBe(
      value("system_cpu_utilization_ratio", { cpu_mode: "busy" }),
    );
    expect(await figure(host(page, "alpha").locator(".memory data"))).toBe(
      value("system_memory_utilization_ratio", { system_memory_state: "used" }),
    );
    expect(await figure(host(page, "alpha").locator(".load data"))).toBe(
      value("system_cpu_load_average_1m", {}),
    );
    const seen = await host(page, "alpha").locator("time").getAttribute("datetime");
    expect(Date.parse(seen!)).toBe(Number(latest.hosts[0]!.lastSeenMs));
    expect(await host(page, "alpha").locator(".seen").textContent()).toContain("Fresh");
  });

  it("draws the means that the query API gives for the same instants", async () => {
    const page = await open("#hosts=alpha,beta");
    const lines = await valuesOf(page, "CPU");
    expect([...lines.keys()]).toEqual(["alpha", "beta"]);
    for (const [hostId, values] of lines) {
      const times = [...values.keys()];
      expect(times.length).toBeGreaterThan(3);
      const expected = await rangeOf(hostId, "system_cpu_utilization_ratio", times, Aggregation.AVG, "busy");
      expect(values).toEqual(expected);
    }
  });

  it("draws a counter as its increase a second", async () => {
    const page = await open("#hosts=alpha&metric=system_disk_io_bytes_total");
    const lines = await valuesOf(page, "system_disk_io_bytes_total");
    const [values] = lines.values();
    const expected = await rangeOf(
      "alpha",
      "system_disk_io_bytes_total",
      [...values!.keys()],
      Aggregation.RATE,
    );
    expect(values).toEqual(expected);
    await page.getByText("increase a second").waitFor();
    expect(await page.locator(".legend-table td").first().textContent()).toMatch(/[KM]iB\/s$/);
  });

  it("shows a host's processor rising when it does", async () => {
    const page = await open("#hosts=riser");
    const push = (value: number, ageMs: number): Promise<unknown> => {
      const sample = { name: "system_cpu_utilization_ratio", value, kind: Kind.GAUGE };
      return broker.push([{ hostId: "riser", timestampMs: BigInt(Date.now() - ageMs), samples: [sample] }]);
    };
    for (let second = 30; second >= 8; second--) await push(0.05, second * 1_000);
    const headline = page.locator(".chart", { hasText: "CPU" }).locator("data").first();
    await expect.poll(() => headline.textContent(), { timeout: 15_000 }).toBe("5.0\u00a0%");
    for (let second = 7; second >= 0; second--) await push(0.95, second * 1_000);
    await expect.poll(() => headline.textContent(), { timeout: 15_000 }).toBe("95.0\u00a0%");
  }, 40_000);

  it("counts rejections by reason as the status does, and says what to do", async () => {
    await broker.push([
      { hostId: "alpha", timestampMs: BigInt(Date.now()), samples: [{ name: "a", value: Number.NaN }] },
      { hostId: "no good", timestampMs: BigInt(Date.now()), samples: [{ name: "a", value: 1 }] },
    ]);
    const status = await broker.admin.status({});
    const page = await open();
    const row = page.locator(".rejections tr", { hasText: "Host id invalid" });
    await row.waitFor();
    const counted = status.intake!.rejections.reduce((sum, { count }) => sum + count, 0n);
    const shown = await page
      .locator(".rejections data")
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute("value")));
    expect(shown.reduce((sum, value) => sum + BigInt(value!), 0n)).toBe(counted);
    expect(await row.textContent()).toContain("Use letters, digits");
  });

  it("shows what hosts call themselves as text, whatever it is", async () => {
    const samples = ["<img src=x onerror=alert(1)>", "<b>bold</b>"].map((text) => ({
      name: "markup",
      value: 1,
      labels: [{ name: "label", value: text }],
    }));
    await broker.push([{ hostId: "markup", timestampMs: BigInt(Date.now() - 5_000), samples }]);
    const page = await open("#hosts=markup&metric=markup");
    await page.getByRole("rowheader", { name: "<b>bold</b>" }).first().waitFor();
    expect(await page.locator("img").count()).toBe(0);
  });

  it("opens in the state that its URL names", async () => {
    const page = await open("#hosts=beta&metric=system_cpu_load_average_1m&range=1h&q=be&sort=cpu:desc");
    await host(page, "beta").waitFor();
    expect(await host(page, "alpha").count()).toBe(0);
    expect(await page.getByRole("combobox", { name: "Metric" }).inputValue()).toBe(
      "system_cpu_load_average_1m",
    );
    expect(await page.getByRole("radio", { name: "1 h" }).isChecked()).toBe(true);
    expect(await page.getByRole("columnheader", { name: "CPU" }).getAttribute("aria-sort")).toBe(
      "descending",
    );
  });

  it("is worked by the keyboard alone", async () => {
    const page = await open();
    await host(page, "alpha").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("beta");
    await host(page, "alpha").waitFor({ state: "detached" });
    await page.keyboard.press("ArrowDown");
    expect(await page.getByRole("grid").getAttribute("aria-activedescendant")).toBe("host-beta");
    await page.keyboard.press("Enter");
    expect(await host(page, "beta").getAttribute("aria-selected")).toBe("true");
    expect(new URL(page.url()).hash).toBe("#hosts=beta&q=beta");
    await page.keyboard.press("Escape");
    expect(new URL(page.url()).hash).toBe("#q=beta");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Escape");
    await host(page, "alpha").waitFor();

    const picker = page.getByRole("combobox", { name: "Metric" });
    await picker.focus();
    await page.keyboard.type("load 1m");
    await page.keyboard.press("Enter");
    expect(new URL(page.url()).hash).toBe("#metric=system_cpu_load_average_1m");
    expect(await page.getByRole("listbox").count()).toBe(0);
  });

  it("lets the keyboard skip to the hosts", async () => {
    const page = await open();
    await host(page, "alpha").waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the hosts");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("grid");
  });

  it("fits windows from 390 to 1440 px wide, light and dark", async () => {
    const page = await open("#hosts=alpha,beta");
    await valuesOf(page, "CPU");
    for (const width of [390, 640, 768, 1024, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const beyond = (): Promise<number> =>
          page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        await expect.poll(beyond, { message: `${width} px, ${colorScheme}` }).toBeLessThanOrEqual(0);
        const drawn = (): Promise<number> =>
          page
            .locator(".charts canvas")
            .first()
            .evaluate((canvas) => canvas.clientWidth);
        const card = (): Promise<number> =>
          page
            .locator(".chart")
            .first()
            .evaluate((element) => element.clientWidth);
        await expect.poll(async () => (await drawn()) - (await card())).toBe(0);
      }
    }
  });

  it("follows the system's theme, and remembers another one", async () => {
    const page = await open("", { colorScheme: "dark" });
    const background = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(background).not.toBe(dark);
    const button = page.getByRole("button", { name: "Theme" });
    await button.click();
    await button.click();
    await expect.poll(background).toBe(dark);
    await page.reload();
    await expect.poll(background).toBe(dark);
  });

  it("says that its data is stale while the broker is gone, and recovers by itself", async () => {
    const page = await open();
    await host(page, "alpha").waitFor();
    await broker.kill();
    await page.getByText("Stale data.").waitFor();
    expect(await page.locator("main").getAttribute("class")).toBe("outdated");
    expect(await page.title()).toBe("No answer · mon");
    expect(await host(page, "alpha").count(), "the last data stays").toBe(1);
    await broker.restart();
    await page.getByText("Stale data.").waitFor({ state: "detached" });
  }, 40_000);

  it("stays quick with ten thousand hosts", async () => {
    const timestampMs = BigInt(Date.now());
    const samples = [{ name: "system_cpu_load_average_1m", value: 1 }];
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      hostId: `node-${index}`,
      timestampMs,
      samples,
    }));
    await broker.push(many.slice(0, 5_000));
    await broker.push(many.slice(5_000));
    const page = await open();
    await page.waitForFunction(() => document.querySelector(".count")?.textContent?.startsWith("10,0"));
    const drawn = await page.locator(".rows [role=row]").count();
    expect(drawn).toBeLessThan(40);
    await page.getByRole("searchbox").fill("node-9999");
    await host(page, "node-9999").waitFor();
    await host(page, "node-9999").click();
    expect(new URL(page.url()).hash).toBe("#hosts=node-9999&q=node-9999");
  }, 60_000);
});

describe("a broker with a damaged store", () => {
  it("says what is wrong, and that its answers are partial", async () => {
    await using damaged = new DamagedBroker(pageDir);
    const page = await open("", {}, await damaged.start());
    await page.getByText("Degraded").waitFor();
    expect(await page.locator(".health").textContent()).toBe("Degraded: The store is damaged.");
    const notes = page.locator(".partial", { hasText: "block 12 of host web-1 is damaged" });
    await expect.poll(() => notes.count()).toBe(3);
  });
});

/** What the query API gives for one series at these instants, which are a step apart. */
async function rangeOf(
  hostId: string,
  name: string,
  times: readonly number[],
  aggregation: Aggregation,
  mode?: string,
): Promise<Map<number, number>> {
  const stepMs = Math.min(...times.slice(1).map((time, index) => time - times[index]!));
  const answer = broker.query.queryRange({
    hosts: [hostId],
    name,
    startMs: BigInt(times[0]!),
    endMs: BigInt(times.at(-1)!),
    stepMs: BigInt(stepMs),
    aggregation,
  });
  const values = new Map<number, number>();
  for await (const { series } of answer) {
    for (const piece of series) {
      if (mode !== undefined && !piece.series!.labels.some((label) => label.value === mode)) continue;
      for (const [at, offset] of piece.offsetsMs.entries()) {
        values.set(Number(piece.baseMs) + offset, piece.values[at]!);
      }
    }
  }
  return values;
}
