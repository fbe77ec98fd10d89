// Sets the theme before anything is drawn: what was chosen here, else what the system prefers. And the few things of the browser that pages
// ask for by name.
(() => {
    const key = 'saeunbox.theme';
    const system = () => matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
    const set = theme => { document.documentElement.dataset.theme = theme; };
    const chosen = () => { try { return localStorage.getItem(key); } catch { return null; } };
    set(chosen() ?? system());
    window.saeunbox = {
        switchTheme() {
            const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
            set(next);
            try { localStorage.setItem(key, next); } catch { /* A private window forgets. */ }
        },
        remember(key, value) {
            try { localStorage.setItem(`saeunbox.${key}`, value); } catch { /* A private window forgets. */ }
        },
        recall(key) {
            try { return localStorage.getItem(`saeunbox.${key}`); } catch { return null; }
        },
        showDialog(dialog) {
            dialog.showModal();
        },
        async copy(text) {
            try {
                await navigator.clipboard.writeText(text);
                return true;
            } catch {
                return false;
            }
        },
    };
    // Blazor could not come back to this page's circuit: the server was started anew, and what counts is kept in this browser. A stroke is
    // painted to its end before.
    let isHeld = false, isLost = false;
    const reload = () => isLost && !isHeld && setTimeout(() => location.reload());
    for (const type of ['pointerdown', 'pointerup', 'pointercancel'])
        addEventListener(type, event => {
            isHeld = event.buttons > 0;
            reload();
        });
    addEventListener('DOMContentLoaded', () => {
        const notice = document.getElementById('components-reconnect-modal');
        new MutationObserver(() => {
            isLost = notice.classList.contains('components-reconnect-rejected');
            reload();
        }).observe(notice, { attributes: true, attributeFilter: ['class'] });
    });
})();
