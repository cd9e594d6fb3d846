/** Node names as people give them, seeded: the same seed gives the same names. */

/** A small generator of good quality, after Bob Jenkins' and Chris Doty-Humphrey's sfc32, seeded by one integer. */
export function createRandom(seed: number): () => number {
  let [a, b, c, counter] = [0, seed | 0, 0x9e3779b9 | 0, 1];
  const next = (): number => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

const regions = ["eu-west-1", "eu-central-1", "us-east-1", "ap-south-1", "fra1", "ams3"];
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789";

/** A set of `count` distinct names of one style: addresses, pods of a StatefulSet or a Deployment, or FQDNs. */
export function nodeNames(count: number, random: () => number): string[] {
  const below = (limit: number): number => Math.floor(random() * limit);
  const letters = (length: number): string =>
    Array.from({ length }, () => suffixLetters[below(suffixLetters.length)]).join("");
  const [net, first, start] = [below(256), below(256), below(200)];
  const region = regions[below(regions.length)];
  const [release, replicaSet] = [letters(4), letters(9)];
  const styles = [
    (i: number): string => `10.${net}.${first}.${start + i}:7400`,
    (i: number): string => `192.168.${net}.${start + i}`,
    (i: number): string => `mon-broker-${i}`,
    (i: number): string => `${release}-mon-broker-${i}.mon-headless.${region}.svc.cluster.local`,
    (i: number): string => `broker-${String(start + i).padStart(3, "0")}.${region}.prod.example.com`,
  ];
  const style = below(styles.length + 1);
  if (style < styles.length) return Array.from({ length: count }, (_, i) => styles[style]!(i));
  const names = new Set<string>();
  while (names.size < count) names.add(`mon-broker-${replicaSet}-${letters(5)}`);
  return [...names];
}
