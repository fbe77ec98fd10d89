/** Makes the picture of a recipe, given as JSON, and returns it as a blob. An error has one sentence as its message. */
export async function generate(recipe, accept) {
    const headers = { 'content-type': 'application/json', accept };
    const answer = await fetch('api/v1/generate', { method: 'POST', headers, body: recipe });
    if (answer.ok) return answer.blob();
    const problem = await answer.json().catch(() => null);
    throw new Error(problem?.detail ?? problem?.title ?? `The server answered ${answer.status}.`);
}
