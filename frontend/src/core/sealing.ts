/** Answers that wait on a shared computer are unreadable to whoever sits there next: encrypted with a key that the
server tells only their own reader's browser. XChaCha20-Poly1305 in plain script, because a hospital's plain http page
has no crypto.subtle. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";

import type { OutboxEntry, OutboxStorage } from "./outbox";
import { UNNUMBERED } from "./outbox";

const NONCE_BYTES = 24;

/** What lies in the browser: an id, to find it again, and bytes. */
export interface SealedEntry {
  readonly clientEventId: string;
  readonly sealed: Uint8Array;
}

/** As answers were kept before they were encrypted and numbered; a browser may still hold some. */
interface PlainEntry extends Omit<OutboxEntry, "body" | "current"> {
  readonly queuedAt: number;
  readonly body: Omit<OutboxEntry["body"], "counter" | "supersedes">;
}

export type StoredEntry = SealedEntry | PlainEntry;

export interface Drawer {
  put(entry: SealedEntry): Promise<void>;
  remove(clientEventId: string): Promise<void>;
  all(): Promise<StoredEntry[]>;
}

export function sealedStorage(drawer: Drawer, keyHex: string, random: Pick<Crypto, "getRandomValues">): OutboxStorage {
  const key = bytesOf(keyHex);
  return {
    put: (entry) => {
      const nonce = random.getRandomValues(new Uint8Array(NONCE_BYTES));
      const sealed = xchacha20poly1305(key, nonce).encrypt(new TextEncoder().encode(JSON.stringify(entry)));
      return drawer.put({ clientEventId: entry.clientEventId, sealed: joined(nonce, sealed) });
    },
    remove: (clientEventId) => drawer.remove(clientEventId),
    all: async () => {
      const stored = (await drawer.all()).sort((a, b) => queuedAt(a) - queuedAt(b));
      return stored
        .map((entry) => ("sealed" in entry ? opened(entry, key) : numbered(entry)))
        .filter((entry) => entry !== null);
    },
  };
}

const queuedAt = (entry: StoredEntry): number => ("sealed" in entry ? 0 : entry.queuedAt);

const numbered = (entry: PlainEntry): OutboxEntry => ({
  ...entry,
  body: { ...entry.body, counter: UNNUMBERED, supersedes: null },
  current: null,
});

/** Null for what another person's key sealed: it stays where it is until that person is back. */
function opened(entry: SealedEntry, key: Uint8Array): OutboxEntry | null {
  try {
    const nonce = entry.sealed.subarray(0, NONCE_BYTES);
    const plain = xchacha20poly1305(key, nonce).decrypt(entry.sealed.subarray(NONCE_BYTES));
    return JSON.parse(new TextDecoder().decode(plain)) as OutboxEntry;
  } catch {
    return null;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
