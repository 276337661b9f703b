/**
 * The event on the document that says which sound of `explain_separation` is looked at. Its detail is
 * `{ base, report, clip }`: the job's address, its report, and the sound, left and right.
 */
export const EXPLAINED = 'audio-ml-explained';
