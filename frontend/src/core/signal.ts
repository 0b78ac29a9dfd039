/** Something that others may want to hear about. */
export class Signal<T = void> {
  private readonly listeners = new Set<(value: T) => void>();

  /** Returns the way to stop listening. */
  listen(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  emit(value: T): void {
    for (const listener of [...this.listeners]) listener(value);
  }
}
