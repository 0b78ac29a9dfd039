import type { OutboxEntry, OutboxStorage } from "./outbox";

const DATABASE = "turing-ward";
const STORE = "outbox";

/** Entries in IndexedDB: they survive reload, crash and shutdown. */
export async function openIndexedDbStorage(factory: IDBFactory): Promise<OutboxStorage> {
  const opening = factory.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(STORE, { keyPath: "clientEventId" });
  };
  const database = await settled(opening);
  // Another tab that needs a newer layout must not wait for this one for ever.
  database.onversionchange = () => {
    database.close();
  };
  const write = async (change: (store: IDBObjectStore) => void): Promise<void> => {
    // Strict: on the disk, not only in the operating system's buffer, when the promise resolves.
    const transaction = database.transaction(STORE, "readwrite", { durability: "strict" });
    change(transaction.objectStore(STORE));
    await committed(transaction);
  };
  return {
    durable: true,
    put: (entry) => write((store) => store.put(entry)),
    remove: (clientEventId) => write((store) => store.delete(clientEventId)),
    all: () => settled(database.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<OutboxEntry[]>),
  };
}

/** For browsers that refuse storage; answers then count as given only with the server's receipt. */
export function memoryStorage(): OutboxStorage {
  const entries = new Map<string, OutboxEntry>();
  return {
    durable: false,
    put: (entry) => Promise.resolve(void entries.set(entry.clientEventId, entry)),
    remove: (clientEventId) => Promise.resolve(void entries.delete(clientEventId)),
    all: () => Promise.resolve([...entries.values()]),
  };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result);
    };
    request.onerror = () => {
      reject(request.error ?? new Error("The browser's storage did not answer."));
    };
  });
}

function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve();
    };
    const failed = (): void => {
      reject(transaction.error ?? new Error("The browser's storage did not keep the answer."));
    };
    transaction.onabort = failed;
    transaction.onerror = failed;
  });
}
