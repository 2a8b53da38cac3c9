import ApusClient
import ApusProtocol
import NIOCore
import NIOHTTP1

/// What is between here and the server: whether it lets through what Apus needs, at once and for long.
extension ServerChecks {
    private static let upgradeRequired = 426

    func webSocket() async -> (finding: Finding, isOpen: Bool) {
        do {
            let socket = try await openWebSocket()
            await socket.close()
            return (.ok(.server, "WebSocket", "opens"), true)
        } catch {
            return (Self.refused(error), false)
        }
    }

    private static func refused(_ error: ClientError) -> Finding {
        if error.code == .unauthorized { return .ok(.server, "WebSocket", "not checked: \(error.message)") }
        let isLost = error.problem?.status == upgradeRequired
        return .fail(
            .server,
            "WebSocket",
            isLost ? "the server gets no handshake: its header fields are lost on the way" : error.message,
            why: "apus sub, browsers and the client libraries use it",
            advice:
                "pass Upgrade and Connection on: in nginx proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade, "
                + "proxy_set_header Connection $connection_upgrade (a map); docs/deploy.md has all of it"
        )
    }

    private func openWebSocket() async throws(ClientError) -> WebSocketConnection {
        var configuration = try await credential.configuration()
        configuration.connectTimeout = Self.patience
        return try await WebSocketConnection.connect(to: address, configuration: configuration)
    }

    /// Of a stream that waits for a topic that is not there: its first event comes at once, and nothing is created.
    private static func waitingPath() -> String {
        "/topics/apus-doctor-\(String(UInt32.random(in: .min ... .max), radix: 36))/events?wait=true"
    }

    func stream(_ rest: RESTClient) async -> (finding: Finding, isOpen: Bool) {
        do {
            let probe = try await rest.probeStream(Self.waitingPath(), patience: Self.patience)
            return (Self.stream(probe), probe.status == 200)
        } catch  where error.code == .timedOut {
            // The server answered other requests a moment ago.
            let time = Self.patience.nanoseconds / 1_000_000_000
            return (Self.heldBack("no answer in \(time) s, not even its head"), false)
        } catch {
            let finding = Finding.warn(
                .server,
                "event stream",
                error.message,
                why: "whether a proxy in between holds events back is not known",
                advice: "try it by hand: curl -N \(address)/topics/NAME/events"
            )
            return (finding, false)
        }
    }

    static func stream(_ probe: StreamProbe) -> Finding {
        guard probe.status == 200 else {
            return .ok(.server, "event stream", "not checked: the server answered with \(probe.status)")
        }
        // nginx takes this field away, and acts on it.
        let isProxied = !probe.headers.contains(name: "X-Accel-Buffering") || probe.headers.contains(name: "Via")
        let proxy = isProxied ? "; a proxy is in between" : ""
        if let first = probe.firstBytes, first - probe.head < .seconds(1) {
            return .ok(.server, "event stream", "first event after \(seconds(first))\(proxy)")
        }
        let found = probe.firstBytes.map { "first event only after \(seconds($0))" } ?? "no event came"
        return heldBack(found + proxy)
    }

    private static func seconds(_ time: Duration) -> String { Figures.time(us: time / .microseconds(1)) }

    private static func heldBack(_ found: String) -> Finding {
        .fail(
            .server,
            "event stream",
            found,
            why:
                "something between here and the server gathers what is sent before it passes it on, so events come late",
            advice:
                "switch buffering off for streams: in nginx proxy_buffering off, and no proxy_ignore_headers X-Accel-Buffering; "
                + "in Caddy flush_interval -1; and have nothing compress text/event-stream"
        )
    }

    // MARK: Without traffic

    func heldStream(_ rest: RESTClient, for time: Duration) async -> Finding? {
        do {
            let end = try await rest.holdStream(Self.waitingPath(), for: time, patience: Self.patience)
            return Self.held("idle stream", cutAfter: end, time)
        } catch {
            // The finding about streams says why.
            return nil
        }
    }

    func heldWebSocket(for time: Duration) async -> Finding? {
        guard let socket = try? await openWebSocket() else { return nil }
        let start = ContinuousClock.now
        let end = await withTaskGroup(of: Duration?.self) { group in
            group.addTask {
                do { for try await message in socket.messages { if case .close = message { break } } } catch {}
                return Task.isCancelled ? nil : ContinuousClock.now - start
            }
            group.addTask {
                try? await Task.sleep(for: time)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        await socket.close()
        return Self.held("idle WebSocket", cutAfter: end, time)
    }

    static func held(_ check: String, cutAfter end: Duration?, _ time: Duration) -> Finding {
        guard let end else { return .ok(.server, check, "stays open for \(seconds(time))") }
        return .fail(
            .server,
            check,
            "cut after \(seconds(end)) without traffic",
            why: "clients have to connect again and again, and each time the server sends what they have missed",
            advice:
                "have what is in between wait longer than the server's heartbeat (30 s by default), say 6m: proxy_read_timeout "
                + "and proxy_send_timeout in nginx, timeout client, server and tunnel in HAProxy; or set heartbeat lower"
        )
    }
}
