// What this browser stores, because the page may be reloaded and the server restarted at any time: the recipe, the job of its picture, the
// layer that is shown alone, and the newest stroke until the recipe contains it. Each tab has its own state; a new tab starts with the last
// tab's recipe.

// As RecipeLimits.MaxJsonLength: a longer recipe cannot be opened, and does not fit into a message to the server.
const maxRecipeLength = 1 << 21;

const tab = 'sessionStorage', browser = 'localStorage';
const keys = { seen: 'saeunbox.seen', canvas: 'saeunbox.canvas', thumbnails: 'saeunbox.thumbnails', recipe: 'saeunbox.draft', job: 'saeunbox.job', stroke: 'saeunbox.pending', solo: 'saeunbox.solo' };

/** Returns the recipe link in the address, if any. Chats and mail programs encode the = and move the link behind a question mark. */
export const link = () => /[#?&]r(?:=|%(?:25)*3d)([\w-]+)/i.exec(location.search + location.hash)?.[1];

/** Returns the link in the address and what is stored. */
export function find() {
    const from = load(tab, keys.recipe) === null ? browser : tab, stored = load(from, keys.recipe);
    const draft = stored?.length > maxRecipeLength ? null : stored;
    const stroke = loadStroke(), linked = link();
    return {
        isFirst: stored === null && load(browser, keys.seen) === null, canvas: load(tab, keys.canvas), link: linked, draft, job: linked ? null : load(from, keys.job),
        solo: linked ? null : load(tab, keys.solo), pendingEdit: stroke?.edit ?? -1, pendingMask: stroke?.mask,
    };
}

/** Remembers that the example was painted. */
export function storeSeen() {
    store(keys.seen, 'yes', [browser]);
}

/** Stores the canvas, whose undo steps the page continues after a reload. */
export function storeCanvas(canvas) {
    store(keys.canvas, canvas, [tab]);
}

/** Stores the thumbnails of the history, [version, address] each. */
export function storeThumbnails(thumbnails) {
    store(keys.thumbnails, JSON.stringify(thumbnails), [tab]);
}

export function loadThumbnails() {
    try { return JSON.parse(load(tab, keys.thumbnails)) ?? []; } catch { return []; }
}

export function storeStroke(edit, mask) {
    store(keys.stroke, JSON.stringify({ edit, mask }), [tab]);
}

/** Stores the state of the layer that is shown alone; null for none. */
export function storeSolo(solo) {
    store(keys.solo, solo ?? '', [tab]);
}

/** Stores a changed recipe, as the hub reports it. */
export function storeRecipe(change) {
    if (change.IsStroke) return;
    store(keys.recipe, change.Recipe);
    store(keys.job, change.Job);
    const stroke = loadStroke();
    if (stroke && JSON.parse(change.Recipe).edits?.[stroke.edit]?.mask === stroke.mask) forgetStroke();
}

export function forgetStroke() {
    try { sessionStorage.removeItem(keys.stroke); } catch { /* The browser allows no storage. */ }
}

function loadStroke() {
    try { return JSON.parse(load(tab, keys.stroke)); } catch { return null; }
}

function load(storage, key) {
    try { return globalThis[storage].getItem(key); } catch { return null; }
}

function store(key, value, storages = [tab, browser]) {
    for (const storage of storages)
        try { globalThis[storage].setItem(key, value); } catch { /* The browser allows no storage, or it is full. */ }
}
