/** Typed arrays of at most so many bytes are within V8's heap, and cost it nothing more. */
const heapBytesMax = 64;

/**
 * Frees the memory of an array that nobody needs any more, and with it that of all arrays that share it. Left to the
 * garbage collector, megabytes of it pile up within a second, until V8 stops everything to look for such memory.
 */
export function free(array: Float64Array | Uint32Array): void {
  if (array.byteLength <= heapBytesMax) return;
  const { buffer } = array;
  // What is shared with other threads is not to be freed.
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
