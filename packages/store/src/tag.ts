/** Field tags (number << 3 | wire type) of R1; all fit one byte. */
export const tag = {
  hostId: 0x0a,
  timestampMs: 0x11,
  samples: 0x1a,
  time: 0x22,
  name: 0x0a,
  value: 0x11,
  labels: 0x1a,
  kind: 0x20,
  flags: 0x28,
  labelName: 0x0a,
  labelValue: 0x12,
} as const;
