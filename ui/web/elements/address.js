/** Where the page finds the server: addresses below its own, asked in the name of the visitor. */

/** The interface for the visitor of this page, such as `/mine/v1`. */
export const MINE = new URL('mine/v1', document.baseURI).pathname;

/** @param {string} id */
export function jobAddress(id) {
  return `${MINE}/jobs/${encodeURIComponent(id)}`;
}

/**
 * Asks the server, and returns what it answers; `null` where that is nothing.
 * @param {string} path  below the interface, such as `/jobs`
 * @param {{ method?: string, body?: unknown, signal?: AbortSignal }} [settings]
 * @throws {Error} with the server's sentence, the `status` of its reply, and its `param`, the field at fault
 */
export async function ask(path, { method = 'GET', body, signal } = {}) {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  let reply;
  try {
    reply = await fetch(MINE + path, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error('The server does not answer. It may have been ended, or the connection is gone.');
  }
  if (!reply.ok) {
    const { message, param } = await errorOf(reply);
    throw Object.assign(new Error(message), { status: reply.status, param });
  }
  return reply.status === 204 ? null : reply.json();
}

/** @param {Response} reply */
export async function sentenceOf(reply) {
  return (await errorOf(reply)).message;
}

/** @returns {Promise<{ message: string, param?: ?string }>} */
async function errorOf(reply) {
  try {
    const { message, param } = (await reply.json()).error;
    return { message, param };
  } catch {
    return { message: `The server answered with status ${reply.status}.` };
  }
}
