/** A recipe's picture by the API, as a blob of the accepted type; its error is a sentence. */
export async function generate(recipe, accept) {
    const answer = await fetch('/api/v1/generate', { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: recipe });
    if (answer.ok) return answer.blob();
    const problem = await answer.json().catch(() => null);
    throw new Error(problem?.detail ?? problem?.title ?? `The server answered ${answer.status}.`);
}
