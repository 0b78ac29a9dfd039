import type { Drawer, StoredEntry } from "./sealing";

const DATABASE = "turing-ward";
const STORE = "outbox";
/** A disk that sleeps takes a second; a storage that hangs must not stop the reading, and least of all every time. */
const PATIENCE_MS = 3_000;
const LOST_PATIENCE_MS = 200;

/** Entries in IndexedDB: they survive reload, crash and shutdown. */
export async function openIndexedDbDrawer(factory: IDBFactory): Promise<Drawer> {
  let patienceMs = PATIENCE_MS;
  const inTime = <T>(work: Promise<T>): Promise<T> =>
    within(patienceMs, work, () => {
      patienceMs = LOST_PATIENCE_MS;
    });
  const opening = factory.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(STORE, { keyPath: "clientEventId" });
  };
  const database = await inTime(settled(opening));
  // Another tab that needs a newer layout must not wait for this one for ever.
  database.onversionchange = () => {
    database.close();
  };
  const write = async (change: (store: IDBObjectStore) => void): Promise<void> => {
    // Strict: on the disk, not only in the operating system's buffer, when the promise resolves.
    const transaction = database.transaction(STORE, "readwrite", { durability: "strict" });
    change(transaction.objectStore(STORE));
    await inTime(committed(transaction));
  };
  const everything = (): Promise<StoredEntry[]> =>
    settled(database.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<StoredEntry[]>);
  return {
    put: (entry) => write((store) => store.put(entry)),
    remove: (clientEventId) => write((store) => store.delete(clientEventId)),
    all: async () => inTime(everything()),
  };
}

/** For browsers that refuse storage: every answer then counts as given only with the server's receipt. */
export function noDrawer(): Drawer {
  const refused = (): Promise<never> => Promise.reject(new Error("This browser keeps nothing."));
  return { put: refused, remove: refused, all: () => Promise.resolve([]) };
}

function within<T>(limitMs: number, work: Promise<T>, tooLate: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      tooLate();
      reject(new Error("The browser's storage did not answer in time."));
    }, limitMs);
    void work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
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
