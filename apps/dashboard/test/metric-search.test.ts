import { create } from "@bufbuild/protobuf";
import { MetricSchema } from "@mon/proto";
import { expect, it } from "vitest";
import { MATCHES_MAX, searchMetrics } from "../src/metric-search.ts";

const metrics = (names: string[]) => names.map((name) => create(MetricSchema, { name }));

it("a search finds names that contain every word, those that start with it first", () => {
  const found = searchMetrics(metrics(["http_cpu_bytes", "cpu_bytes", "memory_bytes"]), "CPU by");
  expect(found.map(({ name }) => name)).toEqual(["cpu_bytes", "http_cpu_bytes"]);
});

it("a search shows a bounded number of names", () => {
  const many = metrics(Array.from({ length: MATCHES_MAX + 40 }, (_, index) => `metric_${index}`));
  expect(searchMetrics(many, "")).toHaveLength(MATCHES_MAX);
});
