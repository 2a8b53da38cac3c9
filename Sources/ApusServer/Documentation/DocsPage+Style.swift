extension DocsPage {
    static let style = #"""
        :root {
          color-scheme: light dark;
          --page: #f5f7f9; --card: #ffffff; --sunken: #eef2f5; --line: #d5dde3; --text: #17212b; --soft: #566573;
          --accent: #0a7ea4; --on-accent: #ffffff;
          --get: #0a7ea4; --post: #2b7a3d; --delete: #b3342d; --good: #2b7a3d; --bad: #b3342d; --note: #8a5a00;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #10161c; --card: #18212a; --sunken: #111920; --line: #2c3a46; --text: #e4ebf0; --soft: #9aabb8;
            --accent: #4fb8dd; --on-accent: #06222e;
            --get: #4fb8dd; --post: #6cc783; --delete: #f08a83; --good: #6cc783; --bad: #f08a83; --note: #e0b050;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.25rem 4rem; background: var(--page); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
        }
        code, pre, textarea, .path, #log, .schema {
          font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: .85rem;
        }
        h1 { display: flex; align-items: center; gap: .6rem; margin: 0; font-size: 1.9rem; letter-spacing: -.02em; }
        h1 svg { width: 2.2rem; fill: var(--accent); }
        h1 small { font-size: .9rem; font-weight: 400; color: var(--soft); letter-spacing: 0; }
        h2 { margin: 2.2rem 0 .8rem; font-size: 1.25rem; }
        h3 { margin: 1.4rem 0 .5rem; font-size: .95rem; color: var(--soft); font-weight: 500; }
        h4 { margin: 1rem 0 .35rem; font-size: .85rem; color: var(--soft); }
        p { margin: .4rem 0; }
        a { color: var(--accent); }
        nav { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.2rem; margin-top: .8rem; }
        nav label { flex-direction: row; align-items: center; margin-left: auto; }
        nav input { width: 13rem; }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; }
        .row { display: grid; grid-template-columns: 7rem 1fr 1fr 5rem; gap: .8rem; margin-bottom: .8rem; }
        label { display: flex; flex-direction: column; gap: .25rem; font-size: .8rem; color: var(--soft); }
        input, select, textarea {
          width: 100%; padding: .45rem .6rem; border: 1px solid var(--line); border-radius: .4rem;
          background: var(--sunken); color: var(--text); font-size: .9rem;
        }
        textarea { resize: vertical; }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
        .buttons { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .8rem; }
        button {
          padding: .42rem .9rem; border: 1px solid var(--line); border-radius: .4rem; cursor: pointer;
          background: var(--card); color: var(--text); font: inherit; font-size: .9rem;
        }
        button:hover:not(:disabled) { border-color: var(--accent); }
        button:disabled { opacity: .45; cursor: default; }
        button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
        button.quiet { margin-left: auto; border-color: transparent; color: var(--soft); }
        .pill {
          padding: .15rem .6rem; border: 1px solid var(--line); border-radius: 1rem; vertical-align: middle;
          font-size: .75rem; font-weight: 400; color: var(--soft);
        }
        .pill.on { border-color: var(--good); color: var(--good); }
        #log { height: 17rem; margin: .8rem 0 0; padding: .5rem 0; overflow-y: auto; list-style: none; }
        #log:empty::before { content: "Connect, then subscribe and publish."; padding: 0 1rem; color: var(--soft); }
        #log li { display: flex; gap: .8rem; padding: .12rem 1rem; overflow-wrap: anywhere; white-space: pre-wrap; }
        #log time { flex: none; color: var(--soft); }
        #log b { flex: none; width: 1ch; font-weight: 400; color: var(--soft); }
        .event { color: var(--accent); } .ack, .pong { color: var(--good); }
        .error { color: var(--bad); } .info, .local { color: var(--note); }
        details.operation { margin-bottom: .5rem; padding: 0; overflow: hidden; }
        summary { display: flex; align-items: center; gap: .8rem; padding: .65rem 1rem; cursor: pointer; list-style: none; }
        summary::-webkit-details-marker { display: none; }
        summary:hover { background: var(--sunken); }
        summary .title { margin-left: auto; color: var(--soft); font-size: .88rem; text-align: right; }
        .method { width: 4.4rem; flex: none; font-weight: 700; font-size: .78rem; letter-spacing: .04em; }
        .method.get { color: var(--get); } .method.post { color: var(--post); } .method.put { color: var(--note); }
        .method.delete { color: var(--delete); }
        .path { font-size: .92rem; overflow-wrap: anywhere; }
        .inside { padding: .2rem 1rem 1rem; border-top: 1px solid var(--line); }
        .inside label { margin-top: .5rem; max-width: 30rem; }
        table { width: 100%; border-collapse: collapse; font-size: .88rem; }
        td { padding: .35rem .8rem .35rem 0; border-top: 1px solid var(--line); vertical-align: top; }
        td:first-child { width: 3.2rem; font-weight: 600; }
        tr.good td:first-child { color: var(--good); } tr.bad td:first-child { color: var(--bad); }
        .schema { margin: .2rem 0; color: var(--soft); white-space: pre-wrap; overflow-wrap: anywhere; }
        pre {
          margin: .5rem 0 0; padding: .7rem .9rem; background: var(--sunken); border-radius: .4rem;
          overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere;
        }
        @media (max-width: 40rem) {
          .row { grid-template-columns: 1fr 1fr; }
          nav label { margin-left: 0; }
          summary { flex-wrap: wrap; } summary .title { margin-left: 0; text-align: left; width: 100%; }
        }
        """#
}
