import type { Kind } from "@mon/store";
import { isLabelName, isMetricName } from "./characters.ts";
import { prometheusLabel, prometheusName } from "./prometheus-name.ts";
import type { SentSample } from "./sent-sample.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A sample with the names of OpenTelemetry that it has translated to Prometheus's; labels whose names become one are
 * joined to one, their values by `;` in the order of the names sent. For samples that have passed every other check.
 */
export function translateSample(sample: SentSample): SentSample {
  const { texts } = sample;
  const text = (start: number, end: number): string => decoder.decode(texts.subarray(start, end));
  const name = text(sample.nameStart, sample.nameEnd);
  const isTranslated = !isMetricName(texts, sample.nameStart, sample.nameEnd);
  // The kind has been checked.
  const translated = isTranslated ? prometheusName({ name, kind: sample.kind as Kind }) : name;
  const labels = sample.labels.map((label) => {
    const key = text(label.nameStart, label.nameEnd);
    const isLabel = isLabelName(texts, label.nameStart, label.nameEnd);
    return { key, name: isLabel ? key : prometheusLabel(key), value: text(label.valueStart, label.valueEnd) };
  });
  labels.sort((a, b) => (a.key < b.key ? -1 : 1));
  const values = new Map<string, string>();
  for (const { name: label, value } of labels) {
    const joined = values.get(label);
    values.set(label, joined === undefined ? value : `${joined};${value}`);
  }
  return layOut(sample, translated, values);
}

/** The sample under another name and other labels. */
function layOut(sample: SentSample, name: string, labels: ReadonlyMap<string, string>): SentSample {
  const encoded = [name, ...[...labels].flat()].map((text) => encoder.encode(text));
  const texts = new Uint8Array(encoded.reduce((size, text) => size + text.length, 0));
  let position = 0;
  const ends = encoded.map((text) => {
    texts.set(text, position);
    position += text.length;
    return position;
  });
  return {
    ...sample,
    texts,
    nameStart: 0,
    nameEnd: ends[0]!,
    labels: Array.from({ length: labels.size }, (_, i) => ({
      nameStart: ends[2 * i]!,
      nameEnd: ends[2 * i + 1]!,
      valueStart: ends[2 * i + 1]!,
      valueEnd: ends[2 * i + 2]!,
    })),
  };
}
