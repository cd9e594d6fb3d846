import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate and its private key, both in PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** A day, in milliseconds: how long before and after its making a certificate holds. */
const validityMs = 86_400_000;

/**
 * An authority for tests of TLS, which signs certificates of 127.0.0.1 and localhost. Node can sign bytes but makes no
 * certificates; these few fields of X.509 are less than a dependency, and need no `openssl` on the machine.
 *
 * @see RFC 5280, §4.1
 */
export class TestAuthority {
  /** The authority's own certificate, in PEM. */
  readonly certificate: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;

  /** @param name - the authority's common name */
  constructor(name: string = "mon test authority") {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#name = commonName(name);
    this.#key = privateKey;
    const isAuthority = extension(basicConstraints, sequence(Buffer.of(0x01, 0x01, 0xff)));
    this.certificate = this.#sign(this.#name, publicKey, isAuthority);
  }

  /** Makes a certificate of this machine's loopback. @param uri - what it names besides, as `spiffe://mon/broker/a` */
  issue(uri?: string): TestCertificate {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const names = sequence(
      der(0x82, Buffer.from("localhost")),
      der(0x87, Buffer.of(127, 0, 0, 1)),
      ...(uri === undefined ? [] : [der(0x86, Buffer.from(uri))]),
    );
    return {
      certificate: this.#sign(commonName("localhost"), publicKey, extension(subjectAltName, names)),
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }

  #sign(subject: Buffer, publicKey: KeyObject, extensions: Buffer): string {
    const algorithm = sequence(ecdsaWithSha256);
    const serial = randomBytes(16);
    // Positive, and not shorter for it.
    serial[0] = (serial[0]! & 0x7f) | 0x40;
    const now = Date.now();
    const signed = sequence(
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, serial),
      algorithm,
      this.#name,
      sequence(utcTime(now - validityMs), utcTime(now + validityMs)),
      subject,
      publicKey.export({ type: "spki", format: "der" }),
      der(0xa3, sequence(extensions)),
    );
    const signature = der(0x03, Buffer.of(0), sign("sha256", signed, this.#key));
    const base64 = sequence(signed, algorithm, signature).toString("base64");
    const lines = base64.match(/.{1,64}/g)!.join("\n");
    return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  }
}

/** Object identifiers, encoded. */
const ecdsaWithSha256 = Buffer.from("06082a8648ce3d040302", "hex");
const basicConstraints = Buffer.from("0603551d13", "hex");
const subjectAltName = Buffer.from("0603551d11", "hex");
const idCommonName = Buffer.from("0603550403", "hex");

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(idCommonName, der(0x0c, Buffer.from(name)))));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value));
}

function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, "");
  return der(0x17, Buffer.from(text.slice(2)));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** A value of the distinguished encoding rules: its tag, its length, its content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const bytes = length < 0x100 ? [length] : [length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length, ...bytes), content]);
}
