/** How a job was asked for, in words. */

/** Returns what tells a job from another of the same name: "spleeter-2stems, overlap: 0.5, 14:05". */
export function askedOf(job) {
  const { model, voice, options } = job.request ?? {};
  const when = new Date(job.created);
  const isToday = when.toDateString() === new Date().toDateString();
  const day = isToday ? '' : when.toLocaleDateString(undefined, { dateStyle: 'medium' });
  const clock = when.toLocaleTimeString(undefined, { timeStyle: 'short' });
  return [model, voice, inWords(options), day, clock].filter(Boolean).join(', ');
}

/** Returns options as they are read: "shifts 2, keep silence: no". */
export function inWords(options = {}) {
  const words = Object.entries(options).map(([name, value]) => `${name.replaceAll('_', ' ')}: ${valueOf(value)}`);
  return words.join('; ');
}

function valueOf(value) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
