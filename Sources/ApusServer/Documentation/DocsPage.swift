/// The page at `/docs`: the REST API with forms to try it, and a console for the WebSocket.
///
/// One document that loads nothing except `openapi.json` next to it. It inserts all data into the page as text, never
/// as markup, and its content policy allows no other source than the server itself.
enum DocsPage {
    static let html = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="referrer" content="no-referrer">
        <meta http-equiv="Content-Security-Policy" content="\(contentPolicy)">
        <title>Apus</title>
        <link rel="icon" href="data:image/svg+xml,\(icon)">
        <style>
        \(style)
        </style>
        </head>
        <body>
        \(content)
        <script>
        \(script)
        </script>
        </body>
        </html>
        """

    private static let contentPolicy = [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "connect-src 'self' ws: wss:",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ].joined(separator: "; ")

    /// The icon: a flying swift.
    private static let icon =
        "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
        + "%3Cpath fill='%230a7ea4' d='M1 11c7-4 12-3 15 1 3-4 8-5 15-1-6 0-10 2-12 6l-3 11-3-11c-2-4-6-6-12-6z'/%3E"
        + "%3C/svg%3E"

    private static let content = #"""
        <header>
          <h1>
            <svg viewBox="0 0 32 32" aria-hidden="true">
              <path d="M1 11c7-4 12-3 15 1 3-4 8-5 15-1-6 0-10 2-12 6l-3 11-3-11c-2-4-6-6-12-6z"/>
            </svg>
            Apus <small id="version"></small>
          </h1>
          <p id="about">Loading…</p>
          <nav>
            <a href="#console">Console</a> <a href="#rest">REST</a> <a href="openapi.json">openapi.json</a>
            <label>API key <input id="key" type="password" autocomplete="off" placeholder="only where keys are on"></label>
          </nav>
        </header>
        <main>
          <section id="console" aria-labelledby="console-title">
            <h2 id="console-title">Console <span id="state" class="pill" role="status">not connected</span></h2>
            <form id="socket" class="card">
              <div class="row">
                <label>Endpoint
                  <select name="path"><option value="ws">/ws</option><option value="v1/ws">/v1/ws</option></select>
                </label>
                <label>Topic <input name="topic" value="orders" maxlength="255"></label>
                <label>Client id <input name="client" value="docs"></label>
                <label>Last n <input name="last" type="number" min="0" value="10"></label>
              </div>
              <label>Payload, JSON
                <textarea name="payload" rows="2" spellcheck="false">{"order": "ORD-123", "amount": 99.5}</textarea>
              </label>
              <div class="buttons">
                <button type="submit" id="connect" class="primary">Connect</button>
                <button type="button" id="create">Create topic</button>
                <button type="button" data-command="subscribe" disabled>Subscribe</button>
                <button type="button" data-command="publish" disabled>Publish</button>
                <button type="button" data-command="ping" disabled>Ping</button>
                <button type="button" data-command="unsubscribe" disabled>Unsubscribe</button>
                <button type="button" id="clear" class="quiet">Clear</button>
              </div>
            </form>
            <ol id="log" class="card" role="log" aria-label="Messages" tabindex="0"></ol>
          </section>
          <section id="rest" aria-labelledby="rest-title">
            <h2 id="rest-title">REST</h2>
            <div id="operations"></div>
          </section>
        </main>
        """#
}
