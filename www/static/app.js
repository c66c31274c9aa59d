/* app.js: what pages do better with a script. Everything also works without it: progress and code page are kept up to date (bell.js calls
 * the visitor back to them), a summary of mistakes gets the focus, a form is not sent twice, and the result can be printed. */
(function () {
    "use strict";

    const POLL_S = 5;
    const WATCHDOG_S = 30; /* between looks while news come by themselves */
    const STREAM_AGAIN_S = 30; /* until one that was refused is tried again */
    const BACK_OFF_S = [5, 10, 20, 30];
    const ANSWER_WITHIN_S = 15;
    const html = document.documentElement;
    const number = new Intl.NumberFormat(html.lang);
    const twoDigits = new Intl.NumberFormat(html.lang, { minimumIntegerDigits: 2, useGrouping: false });

    let leaving = false; /* a form was sent or a page asked for: nothing else moves this page */

    /* --- small things --- */

    const part = (name) => document.querySelector('[data-part="' + name + '"]');

    function show(element, visible) {
        if (element)
            element.hidden = !visible;
    }

    /* Only what differs is written, so that nothing is announced or selected away without need. */
    function write(element, text) {
        if (element && element.textContent !== text)
            element.textContent = text;
    }

    const fill = (template, values) => template.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));

    /* The one live region: what is worth hearing, not every percent. */
    function announce(text) {
        const live = part("live");

        if (live && text)
            live.textContent = text;
    }

    function go(url) {
        if (leaving)
            return;
        leaving = true;
        location.replace(url);
    }

    /* --- words and digits of the page's language --- */

    /* The same limits as the server's: the first unit whose limit is not reached, rounded. */
    const UNITS = [
        { below: 5, one: "moment" },
        { below: 58, seconds: 5, counts: 5, many: "seconds" },
        { below: 3570, seconds: 60, counts: 1, one: "minute", many: "minutes" },
        { below: 84600, seconds: 3600, counts: 1, one: "hour", many: "hours" },
        { below: Infinity, seconds: 86400, counts: 1, one: "day", many: "days" },
    ];

    function duration(texts, seconds) {
        const unit = UNITS.find((u) => seconds < u.below);
        const n = unit.seconds ? Math.round(seconds / unit.seconds) * unit.counts : 1;

        return n === 1 ? texts[unit.one] : fill(texts[unit.many], { n: number.format(n) });
    }

    const clock = (seconds) => number.format(Math.floor(seconds / 60)) + ":" + twoDigits.format(seconds % 60);

    /* --- what a page shows of a view --- */

    function showBar(texts, view) {
        const bar = part("bar");

        if (!bar)
            return;
        const percent = fill(texts.percent, { percent: number.format(view.progress) });
        bar.value = view.progress;
        write(bar, percent);
        write(part("percent"), percent);
        document.title = fill(texts.title, { percent, service: texts.service }) + " – " + texts.site;
    }

    /* A step that the list does not know leaves it as it is. The words of the step just begun, or "". */
    function showSteps(texts, view) {
        const list = part("steps"), items = list ? Array.from(list.children) : [];
        const pending = view.status === "pending";
        const now = pending ? -1 : items.findIndex((item) => item.dataset.step === view.step);
        let begun = "";

        if (now < 0 && !pending)
            return begun;
        items.forEach((item, i) => {
            const state = i < now ? "done" : i === now ? "current" : "waiting";

            if (item.classList.contains("is-" + state))
                return;
            item.classList.remove("is-done", "is-current", "is-waiting");
            item.classList.add("is-" + state);
            item.querySelector(".step-state").textContent = texts["step" + state[0].toUpperCase() + state.slice(1)];
            if (state === "current") {
                item.setAttribute("aria-current", "step");
                begun = item.querySelector(".step-label").textContent;
            } else {
                item.removeAttribute("aria-current");
            }
        });
        return begun;
    }

    function showLeft(texts, left) {
        show(part("time"), left > 0);
        if (left > 0)
            write(part("time-value"), duration(texts, left));
    }

    function showWaiting(texts, view) {
        const place = view.queue_position;

        showLeft(texts, view.estimated_remaining_time);
        show(part("queue"), place !== null); /* beyond the exact places the message tells */
        if (place !== null)
            write(part("queue"), fill(texts.queue || "", { position: number.format(place) }));
    }

    /* The code page keeps the bot's own sentence until another message comes. */
    function messageOf(page, view) {
        const shown = page.isCode ? page.message : (part("message") || {}).textContent;
        const fresh = shown !== undefined && shown !== null && view.current_message && view.current_message !== shown;

        page.message = view.current_message;
        if (fresh)
            write(part("message"), view.current_message);
        return fresh ? view.current_message : "";
    }

    function showCode(page, otp) {
        if (!page.isCode || !otp)
            return;
        page.expires.set(otp.expires_in);
        page.resend.set(otp.resend_in);
        write(part("attempts"), fill(page.texts.attempts, { count: number.format(otp.attempts_left) }));
    }

    /* --- progress and code page --- */

    /* Runs down by the second; null stands for never. */
    function countdown(tick) {
        let end = null, timer;

        function step() {
            const left = end === null ? null : Math.max(0, Math.ceil((end - performance.now()) / 1000));

            clearTimeout(timer);
            tick(left);
            if (left)
                timer = setTimeout(step, 1000);
        }
        return {
            set(seconds) {
                const next = seconds === null || seconds === undefined ? null : performance.now() + seconds * 1000;

                /* the answer was on its way for a moment: no jumping to and fro */
                if (end === null || next === null || Math.abs(next - end) > 1500)
                    end = next;
                step();
            },
        };
    }

    function startCodePage(page) {
        const texts = page.texts, button = part("resend-button");
        let expired = !part("expired").hidden, waiting = !part("resend-wait").hidden;

        page.expires = countdown((left) => {
            show(part("expires"), left > 0);
            show(part("expired"), left === 0);
            part("submit").classList.toggle("button-primary", left !== 0);
            button.classList.toggle("button-primary", left === 0);
            write(part("expires-value"), clock(left || 0));
            if (left === 0 && !expired)
                announce(texts.expired);
            expired = left === 0;
        });
        page.resend = countdown((left) => {
            show(part("no-resend"), left === null);
            show(part("resend"), left !== null);
            show(part("resend-wait"), left > 0);
            write(part("resend-value"), clock(left || 0));
            if (!leaving)
                button.disabled = left > 0;
            if (left === 0 && waiting)
                announce(texts.resendReady);
            waiting = left > 0;
        });
        page.expires.set(Number(texts.expiresIn));
        page.resend.set(texts.resendIn === "" ? null : Number(texts.resendIn));
    }

    /* A page of something that ended shows nothing but that: whatever comes after makes it another. */
    const isElsewhere = (page, view) =>
        view.redirect_url && (view.redirect_url !== page.texts.place || (page.isFinal && view.revision > page.revision));

    /* A hidden tab that calls the visitor back stays as it is until it is seen: a notice does not outlive its page. */
    function moveOn(page, view) {
        page.next = view.redirect_url;
        if (page.bell.rings(view))
            return;
        announce(page.texts.moving);
        go(page.next);
    }

    /* Show a public view, wherever it came from. */
    function apply(page, view) {
        const elsewhere = isElsewhere(page, view);

        if (view.revision < page.revision)
            return;
        page.revision = view.revision;
        if (elsewhere) {
            moveOn(page, view);
            return;
        }
        page.next = page.told = null;
        page.pending = view.status === "pending";
        page.left = { seconds: view.estimated_remaining_time, since: performance.now(), stands: page.pending || view.requires_otp };
        showBar(page.texts, view);
        const begun = showSteps(page.texts, view), said = messageOf(page, view);
        showWaiting(page.texts, view);
        showCode(page, view.otp);
        write(part("heading"), view.status === "pending" ? page.texts.headingPending : page.texts.heading);
        write(part("status"), page.texts["status" + view.status[0].toUpperCase() + view.status.slice(1)] || "");
        announce(said || begun);
    }

    function trouble(page, lost) {
        const note = part("trouble");

        if (!note || note.hidden === !lost)
            return;
        write(note, page.texts.offline);
        show(note, lost);
        announce(lost ? page.texts.offline : page.texts.online);
    }

    /* `own`: not from another tab, which would hear it again. */
    function hear(page, view, own) {
        page.failures = 0;
        trouble(page, false);
        if (own && view.revision >= page.revision)
            page.tabs.tell(view);
        apply(page, view);
    }

    /* What one tab of a request learns, the others in its language show at once; a hidden one too, since this takes no connection. */
    function share(page) {
        let channel = null;

        function open() {
            if (channel || !window.BroadcastChannel)
                return;
            channel = new BroadcastChannel("peygir " + html.lang + " " + page.texts.statusUrl);
            channel.addEventListener("message", (event) => hear(page, event.data, false));
        }
        function close() {
            if (channel)
                channel.close();
            channel = null;
        }
        function tell(view) {
            if (channel)
                channel.postMessage(view);
        }
        return { open, close, tell };
    }

    /* One look at the status. The seconds until the next one; null: this page is done. */
    async function look(page) {
        const stop = new AbortController(), limit = setTimeout(() => stop.abort(), ANSWER_WITHIN_S * 1000);

        try {
            const answer = await fetch(page.texts.statusUrl, {
                headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store", signal: stop.signal,
            });

            if (answer.status === 404) {
                if (!page.isFinal) /* what is on the screen may still be read */
                    go(page.texts.place);
                return null;
            }
            if (!answer.ok)
                throw Object.assign(new Error(answer.status), { retryAfter: Number(answer.headers.get("Retry-After")) || 0 });
            const view = await answer.json();
            const late = page.stream.live && view.revision > page.revision;
            hear(page, view, true);
            page.stream.check(late);
            return page.stream.live && !page.pending ? WATCHDOG_S : POLL_S; /* a place in the queue is told by looks only */
        } catch (error) {
            if (!leaving)
                trouble(page, true);
            return Math.max(BACK_OFF_S[Math.min(page.failures++, BACK_OFF_S.length - 1)], error.retryAfter || 0);
        } finally {
            clearTimeout(limit);
        }
    }

    /* A browser has only six connections for all tabs of a site: a hidden one keeps none, or the one that its bell may. */
    const mayStream = (page) => !page.isFinal && (!document.hidden || page.bell.streams);

    /* Of requests that have ended only a failed one may be opened again. */
    const isAsleep = (page) => (page.isFinal && page.texts.final !== "failed") || (document.hidden && !page.bell.watches);

    /* News as they happen, when browser and network let them through: `live` from the first that came until they fail, and `lost` is called
     * then. The browser comes back by itself after a connection that broke, and is told what it missed; one that was refused is tried again
     * after a while, when a look found that all is well. A stream that kept news back, as a proxy does that buffers, is `doubted` until it
     * brings some first. */
    function listen(page, lost) {
        const stream = { live: false, open, close, check };
        let source = null, tried = -Infinity, doubted = false;

        function close() {
            stream.live = false;
            if (source)
                source.close();
            source = null;
        }
        function open() {
            if (source || !window.EventSource || !mayStream(page))
                return;
            tried = performance.now();
            source = new EventSource(page.texts.eventsUrl);
            source.addEventListener("update", (event) => {
                const view = JSON.parse(event.data);

                doubted = doubted && view.revision <= page.revision;
                stream.live = !doubted;
                hear(page, view, true);
            });
            source.addEventListener("error", () => {
                const was = stream.live;

                stream.live = false;
                if (source && source.readyState === EventSource.CLOSED)
                    close();
                if (was)
                    lost();
            });
        }
        /* `late`: a look found what should have come this way. */
        function check(late) {
            if (late)
                close();
            doubted = doubted || late;
            if (late || performance.now() - tried >= STREAM_AGAIN_S * 1000)
                open();
        }
        return stream;
    }

    /* --- watching --- */

    function watch(root) {
        const page = {
            texts: root.dataset, failures: 0, revision: Number(root.dataset.revision), message: null, next: null, told: null,
            isCode: "expiresIn" in root.dataset, isFinal: "final" in root.dataset,
            bell: { watches: false, streams: false, rings: () => false, attend() {}, leave() {} }, /* what bell.js makes of it */
        };
        let timer, busy = false;

        /* Nobody waits for what a hidden tab finds, or one whose request has ended. */
        function wait(seconds) {
            clearTimeout(timer);
            timer = setTimeout(run, (document.hidden || page.isFinal ? Math.max(seconds, WATCHDOG_S) : seconds) * 1000);
        }

        async function run() {
            clearTimeout(timer);
            if (busy || isAsleep(page))
                return;
            busy = true;
            const next = await look(page);
            busy = false;
            if (next !== null && !isAsleep(page))
                wait(next);
        }

        function attend() {
            if (page.next && !document.hidden) {
                go(page.next);
                return;
            }
            if (mayStream(page))
                page.stream.open();
            else
                page.stream.close();
            run();
        }

        /* Between news the time that is left goes on, except where nobody works at it: there it stands for the server too. */
        function age() {
            const left = page.left;

            if (left && !left.stands && left.seconds > 0 && !document.hidden)
                showLeft(page.texts, left.seconds - Math.round((performance.now() - left.since) / 1000));
        }

        if ("auto" in root.dataset) { /* the header would go on reloading the page */
            go(root.dataset.place);
            return;
        }
        if (page.isCode)
            startCodePage(page);
        page.tabs = share(page);
        page.stream = listen(page, () => wait(POLL_S));
        if (window.hangBell)
            window.hangBell(page, attend, go);
        document.addEventListener("visibilitychange", () => {
            page.bell.attend();
            attend();
        });
        window.addEventListener("online", attend);
        window.addEventListener("pagehide", () => {
            page.stream.close();
            page.tabs.close();
            page.bell.leave();
        });
        window.addEventListener("pageshow", (event) => {
            if (!event.persisted)
                return;
            page.tabs.open();
            page.bell.attend();
            attend();
        });
        setInterval(age, POLL_S * 1000);
        wait(POLL_S);
        page.tabs.open();
        page.bell.attend();
        page.stream.open();
    }

    /* --- every page --- */

    /* Sent once. The buttons come to life again when the page is shown again, from the browser's memory too; some browsers
     * remember over a reload that they were off. */
    function protectForms() {
        const sent = [];

        document.addEventListener("submit", (event) => {
            const form = event.target;

            if (!form.matches("[data-once]"))
                return;
            if (leaving) {
                event.preventDefault();
                return;
            }
            leaving = true;
            setTimeout(() => form.querySelectorAll("button").forEach((button) => {
                sent.push([button, button.textContent]);
                button.disabled = true;
                write(button, button.dataset.busy || button.textContent);
            }), 0);
        });
        window.addEventListener("pageshow", () => {
            leaving = false;
            sent.splice(0).forEach(([button, text]) => write(button, text));
            document.querySelectorAll("[data-once] button").forEach((button) => {
                button.disabled = button.dataset.part === "resend-button" && !part("resend-wait").hidden;
            });
        });
    }

    function focusMistakes() {
        const summary = document.querySelector("[data-error-summary]");

        if (!summary)
            return;
        summary.focus();
        summary.addEventListener("click", (event) => {
            const link = event.target.closest('a[href^="#"]');
            const field = link && document.getElementById(link.hash.slice(1));

            if (!field)
                return;
            event.preventDefault();
            (field.closest(".field") || field).scrollIntoView();
            field.focus({ preventScroll: true });
        });
    }

    function start() {
        document.querySelectorAll("[data-no-script]").forEach((element) => show(element, false));
        document.querySelectorAll("[data-print]").forEach((button) => {
            show(button, true);
            button.addEventListener("click", () => window.print());
        });
        protectForms();
        focusMistakes();
        const root = document.querySelector("[data-watch]");
        if (root)
            watch(root);
    }

    start();
}());
