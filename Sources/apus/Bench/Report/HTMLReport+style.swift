extension HTMLReport {
    /// Follows the reader's preference for light or dark.
    static let style = """
        :root { color-scheme: light dark; --back: #fbfaf8; --text: #23262b; --dim: #6a6f78; --grid: #e3e1dc;
          --card: #ffffff; --a: #1f6f8b; --b: #c2672b; --good: #2c7a4b; --bad: #b3352d; }
        @media (prefers-color-scheme: dark) {
          :root { --back: #16181c; --text: #e6e4df; --dim: #9a9fa8; --grid: #32363d; --card: #1f2228;
            --a: #67b7d1; --b: #e59a63; --good: #6fc08f; --bad: #ee8178; }
        }
        body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 52rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
        h1 { margin: 0; font-size: 1.6rem; }
        h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
        .load { margin: .25rem 0 1rem; color: var(--dim); }
        .verdict { font-weight: 600; }
        .good { color: var(--good); }
        .bad { color: var(--bad); }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; padding: 0;
          list-style: none; }
        .tiles li { padding: .75rem; border-radius: .5rem; background: var(--card); color: var(--dim); font-size: .85rem; }
        .tiles b { display: block; color: var(--text); font-size: 1.3rem; white-space: nowrap; }
        figure { margin: 1rem 0; padding: 1rem; border-radius: .5rem; background: var(--card); }
        figcaption { font-weight: 600; }
        figcaption span { color: var(--dim); font-weight: 400; }
        svg { display: block; width: 100%; height: auto; }
        svg text { fill: var(--dim); font-size: 12px; }
        .grid { stroke: var(--grid); }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .line.s0 { stroke: var(--a); }
        .line.s1 { stroke: var(--b); }
        .legend { display: flex; gap: 1.5rem; margin: .5rem 0 0; padding: 0; list-style: none; font-size: .85rem; }
        .legend li::before { content: ""; display: inline-block; width: 1rem; height: .2rem; margin-right: .4rem;
          vertical-align: middle; }
        .legend .s0::before { background: var(--a); }
        .legend .s1::before { background: var(--b); }
        table { width: 100%; border-collapse: collapse; }
        th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--grid); text-align: left;
          vertical-align: top; }
        th { color: var(--dim); font-weight: 400; white-space: nowrap; }
        """
}
