/** Randomness, given by hand so that a run can be repeated: numbers from 0 up to and without 1. */
export interface Random {
  next(): number;
}
