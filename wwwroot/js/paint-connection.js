// The brush's way to the server: SignalR with MessagePack. The newest stroke is what counts: a few calls are under way, so that a far server
// is not waited for at each, and of what was painted on a layer meanwhile the newest goes next. After a lost connection the canvas is opened again
// and the newest strokes are sent again; so are those that were too much for the server at the moment.

const version = 2, mostUnderway = 3;

async function library() {
    if (!globalThis.signalR) await import('/lib/signalr/signalr.min.js');
    if (!globalThis.signalR.protocols?.msgpack) await import('/lib/signalr/signalr-protocol-msgpack.min.js');
    return globalThis.signalR;
}

export async function connect({ onFrame, onChanged, onStatus, onRejected, onPainted, onTrouble }) {
    const signalR = await library();
    const hub = new signalR.HubConnectionBuilder()
        .withUrl(`/hubs/paint?version=${version}`, { transport: signalR.HttpTransportType.WebSockets, skipNegotiation: true })
        .withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol())
        .withAutomaticReconnect({ nextRetryDelayInMilliseconds: retry => Math.min(4000, 150 * 2 ** retry.previousRetryCount) })
        .configureLogging(signalR.LogLevel.Error)
        .build();
    const waiting = new Map(), newestOf = new Map(); // of each layer the stroke to send, and the number of its newest
    let painted = 0, canvas = '', recipe = '', underway = 0, isPaused = false, newest = -1;
    hub.on('Frame', frame => {
        // The server sends no picture older than the one before; a reordered one is still not shown.
        if (frame.Version <= newest) return;
        newest = frame.Version;
        onFrame(frame);
    });
    hub.on('Changed', change => {
        recipe = change.Recipe;
        onChanged(change);
    });
    hub.on('Status', onStatus);
    hub.on('Rejected', onRejected);
    hub.onreconnected(reopen);

    async function reopen() {
        newest = -1;
        try {
            await open(recipe);
            await flush();
        } catch (error) {
            onTrouble(plain(error));
            setTimeout(reopen, 2000);
        }
    }

    async function open(json, id) {
        [recipe, canvas] = [json, id ?? canvas];
        const state = await hub.invoke('Open', canvas, json).catch(error => { throw new Error(plain(error)); });
        canvas = state.Canvas;
        return canvas;
    }

    async function flush() {
        const [stroke] = waiting.values();
        if (!stroke || isPaused || underway === mostUnderway || hub.state !== signalR.HubConnectionState.Connected) return;
        underway++;
        waiting.delete(stroke.edit);
        try {
            const answer = await hub.invoke('Paint', stroke.edit, stroke.mask, stroke.isLast);
            if (answer.RetryAfterSeconds === null) {
                onPainted(stroke, answer.Version);
            } else {
                again(stroke);
                pause(answer.RetryAfterSeconds);
            }
        } catch (error) {
            if (hub.state === signalR.HubConnectionState.Connected) onTrouble(plain(error));
            else again(stroke);
        } finally {
            underway--;
        }
        await flush();
    }

    // Unless the layer has a newer one, wherever that is.
    function again(stroke) {
        if (stroke.number === newestOf.get(stroke.edit)) waiting.set(stroke.edit, stroke);
    }

    function pause(seconds) {
        isPaused = true;
        setTimeout(() => {
            isPaused = false;
            flush();
        }, 1000 * seconds);
    }

    await hub.start();
    return {
        open,
        stop: () => hub.stop(),
        /** Hands over a stroke, { edit, mask, isLast }; what waits of its layer is replaced. */
        paint(stroke) {
            waiting.set(stroke.edit, { ...stroke, number: ++painted });
            newestOf.set(stroke.edit, painted);
            return flush();
        },
    };
}

const plain = error => String(error?.message ?? error).replace(/^.*HubException: /, '');
