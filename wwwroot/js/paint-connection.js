// The brush's way to the server: SignalR with MessagePack. The newest stroke is what counts: a few calls are under way, so that a far server
// is not waited for at each, and of what was painted meanwhile the newest of each layer goes next. After a lost connection the canvas is opened again
// and the newest strokes are sent again; so are those that were too much for the server at the moment.

const version = 2, mostUnderway = 3;

async function library() {
    if (!globalThis.signalR) await import('/lib/signalr/signalr.min.js');
    if (!globalThis.signalR.protocols?.msgpack) await import('/lib/signalr/signalr-protocol-msgpack.min.js');
    return globalThis.signalR;
}

export async function connect({ onFrame, onChanged, onStatus, onRejected, onPainted, onIdle = () => { }, onTrouble }) {
    const signalR = await library();
    const hub = new signalR.HubConnectionBuilder()
        .withUrl(`/hubs/paint?version=${version}`, { transport: signalR.HttpTransportType.WebSockets, skipNegotiation: true })
        .withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol())
        .withAutomaticReconnect({ nextRetryDelayInMilliseconds: retry => Math.min(4000, 150 * 2 ** retry.previousRetryCount) })
        .configureLogging(signalR.LogLevel.Error)
        .build();
    const newestOf = new Map(); // the number of each layer's newest stroke
    let canvas = '', recipe = '', waiting = [], underway = 0, isPaused = false, number = 0, painted = -1, newest = -1;
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
        // Another canvas counts anew: no version of the old one is newer than what is painted here.
        if (canvas && state.Canvas !== canvas) painted = Infinity;
        canvas = state.Canvas;
        return canvas;
    }

    async function flush() {
        if (isPaused || underway === mostUnderway || !waiting.length || hub.state !== signalR.HubConnectionState.Connected) return;
        underway++;
        const stroke = waiting.shift();
        try {
            const answer = await hub.invoke('Paint', stroke.edit, stroke.mask, stroke.isLast);
            if (answer.RetryAfterSeconds === null) {
                painted = Math.max(painted, answer.Version);
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
        if (!underway && !waiting.length) onIdle();
        await flush();
    }

    // Of a layer only the newest waits.
    function queue(stroke) {
        const other = waiting.find(one => one.edit === stroke.edit);
        if (other?.number > stroke.number) return;
        waiting = [...waiting.filter(one => one !== other), stroke];
    }

    // Unless the layer has a newer one, wherever that is.
    function again(stroke) {
        if (stroke.number === newestOf.get(stroke.edit)) queue(stroke);
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
        /** Whether strokes are on their way. */
        get isBusy() { return underway > 0 || waiting.length > 0; },
        /** The canvas's version with the newest stroke that arrived. */
        get painted() { return painted; },
        /** Hands over a stroke, { edit, mask, isLast }; what waits is replaced by what is newer. */
        paint(stroke) {
            newestOf.set(stroke.edit, ++number);
            queue({ ...stroke, number });
            return flush();
        },
    };
}

const plain = error => String(error?.message ?? error).replace(/^.*HubException: /, '');
