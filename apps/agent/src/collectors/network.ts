import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { fieldsOf, linesOf, numberIn, type ProcFs } from "../proc-fs.ts";
import { counter, gauge } from "../sample.ts";

/** The most interfaces that are reported; beyond that, the last in the kernel's order are left out. */
const interfacesMax = 64;

/** Ends of containers' cables, which come and go with them, and devices that carry nothing of the machine's own. */
const notReported = /^(veth|ifb|dummy)/;

interface Direction {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** Counters of one interface since it appeared. */
export interface InterfaceStat {
  readonly name: string;
  readonly receive: Direction;
  readonly transmit: Direction;
}

/** Reads `/proc/net/dev`. */
function parseNetDev(text: string): InterfaceStat[] {
  return linesOf(text)
    .filter((line) => line.includes(":"))
    .map((line) => {
      const colon = line.lastIndexOf(":"); // An alias has a colon in its name.
      const name = line.slice(0, colon).trim();
      const fields = fieldsOf(line.slice(colon + 1));
      const direction = (first: number): Direction => ({
        bytes: numberIn(fields, first, `/proc/net/dev ${name}`),
        packets: numberIn(fields, first + 1, `/proc/net/dev ${name}`),
        errors: numberIn(fields, first + 2, `/proc/net/dev ${name}`),
        dropped: numberIn(fields, first + 3, `/proc/net/dev ${name}`),
      });
      return { name, receive: direction(0), transmit: direction(8) };
    });
}

/** Sockets by transport, from `/proc/net/sockstat` and `sockstat6`: in use and, for TCP, in TIME_WAIT. */
function parseSockstat(texts: readonly string[]): { tcp: number; udp: number } {
  const counts = { tcp: 0, udp: 0 };
  for (const line of texts.flatMap(linesOf)) {
    const fields = fieldsOf(line);
    const after = (name: string): number => {
      const index = fields.indexOf(name);
      return index < 0 ? 0 : numberIn(fields, index + 1, `/proc/net/sockstat ${fields[0]} ${name}`);
    };
    if (fields[0] === "TCP:" || fields[0] === "TCP6:") counts.tcp += after("inuse") + after("tw");
    if (fields[0] === "UDP:" || fields[0] === "UDP6:") counts.udp += after("inuse");
  }
  return counts;
}

/** Samples of one interface. For packets the convention calls the interface `system.device`. */
function interfaceSamples({ name, receive, transmit }: InterfaceStat): SampleInput[] {
  return Object.entries({ receive, transmit }).flatMap(([direction, stat]) => {
    const labels = { network_interface_name: name, network_io_direction: direction };
    return [
      counter("system_network_io_bytes_total", stat.bytes, labels),
      counter("system_network_errors_total", stat.errors, labels),
      counter("system_network_packet_dropped_total", stat.dropped, labels),
      counter("system_network_packet_count_total", stat.packets, {
        network_io_direction: direction,
        system_device: name,
      }),
    ];
  });
}

/**
 * Interfaces from `/proc/net/dev`, and connections by transport from `/proc/net/sockstat`. Connections by state would
 * need a line of `/proc/net/tcp` for each, which on a busy server is megabytes a reading; so would the library.
 */
export class NetworkCollector implements Collector {
  readonly name = "network";
  readonly #proc: ProcFs;

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  collect(): SampleInput[] {
    const interfaces = parseNetDev(this.#proc.read("proc/net/dev"))
      .filter(({ name }) => !notReported.test(name))
      .slice(0, interfacesMax)
      .flatMap(interfaceSamples);
    // A kernel without IPv6 has no sockstat6.
    const sockstats = [this.#proc.read("proc/net/sockstat"), this.#proc.tryRead("proc/net/sockstat6") ?? ""];
    const connections = Object.entries(parseSockstat(sockstats)).map(([transport, count]) =>
      gauge("system_network_connection_count", count, { network_transport: transport }),
    );
    return [...interfaces, ...connections];
  }
}
