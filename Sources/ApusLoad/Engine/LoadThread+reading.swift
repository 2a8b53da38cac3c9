import ApusSockets
import ApusTLS

extension LoadThread {
    /// Reads what has arrived on a connection, and checks it.
    func read(_ socket: LoadSocket) {
        let rest = socket.rest.count
        input.count = 0
        input.reserve(rest + Self.readLimit)
        if rest > 0 {
            let begin = UnsafeMutableRawBufferPointer(start: input.base, count: rest)
            socket.rest.withUnsafeBytes { begin.copyMemory(from: $0) }
        }
        let room = UnsafeMutableRawBufferPointer(start: input.base + rest, count: Self.readLimit)
        switch socket.transport.receive(into: room) {
        case .wouldBlock: return goOnSecuring(socket)
        case .failed: return lost(socket, socket.errorText())
        case .bytes(0): return lost(socket, "the server ended the connection")
        case .bytes(let count):
            input.count = rest + count
            report.bytesReceived += count
            report.reads += 1
        }
        wasBusy = true
        let now = LoadClock.now()
        let bytes = input.bytes
        let used = parser.parse(bytes, connection: &socket.connection, events: &events, output: &answer)
        keep(UnsafeRawBufferPointer(rebasing: bytes[min(used, bytes.count)...]), of: socket)
        if !answer.isEmpty { sendAnswer(socket) }
        take(socket, now: now)
    }

    private func keep(_ bytes: UnsafeRawBufferPointer, of socket: LoadSocket) {
        if bytes.isEmpty, socket.rest.isEmpty { return }
        socket.rest.removeAll(keepingCapacity: true)
        socket.rest.append(contentsOf: bytes)
    }

    /// Processes the events of one read.
    private func take(_ socket: LoadSocket, now: UInt64) {
        let firstTrack = socket.subscriber.firstTrack
        let givesCredit = socket.subscriber.givesCredit
        let isSubscriber = socket.connection.role == .subscriber
        var received = 0
        events.list.withUnsafeBufferPointer { list in
            for event in list {
                if event.kind == .delivery {
                    let mark = LoadMark(origin: event.first, time: event.second)
                    guard isSubscriber, check(mark, firstTrack: firstTrack) else {
                        // A publisher has no subscriptions.
                        if !isSubscriber { report.strange += 1 }
                        continue
                    }
                    received += 1
                    if measured.contains(mark.time) { latency.record(now > mark.time ? now - mark.time : 0) }
                    if givesCredit { giveCredit(toPublisher: mark.publisher) }
                } else {
                    takeRare(event, socket, now: now)
                }
            }
        }
        events.removeAll()
        guard received > 0 else { return }
        socket.subscriber.received += received
        if socket.subscriber.isStalled { deliveredLate += received } else { delivered += received }
    }

    /// Whether the subscriber receives this message for the first time.
    @inline(__always)
    private func check(_ mark: LoadMark, firstTrack: Int) -> Bool {
        guard mark.publisher < settings.publishers, mark.sequence > 0 else {
            report.strange += 1
            return false
        }
        switch tracks[firstTrack + mark.publisher].see(mark.sequence) {
        case .new: return true
        case .late:
            report.outOfOrder += 1
            return true
        case .doubled:
            report.doubled += 1
            return false
        }
    }

    private func takeRare(_ event: LoadEvent, _ socket: LoadSocket, now: UInt64) {
        switch event.kind {
        case .ack: takeAcks(event.first, socket, now: now)
        case .ready: becomeReady(socket)
        case .dropped: socket.subscriber.announced += Int(event.first)
        case .error:
            report.errors += 1
            let text = events.texts.first ?? "an error"
            if socket.phase == .opening { return lost(socket, text) }
            note(text)
            if socket.connection.role == .publisher { takeAcks(1, socket, now: now) }
        case .closed: lost(socket, events.texts.last ?? "the server ended the connection")
        case .delivery, .other: break
        }
    }

    private func takeAcks(_ count: UInt64, _ socket: LoadSocket, now: UInt64) {
        guard socket.connection.role == .publisher, socket.phase == .ready else { return }
        report.acked += Int(count)
        var left = count
        while left > 0, let sent = socket.publisher.sent.take(left) {
            left -= sent.count
            if measured.contains(sent.time), now > sent.time { ackLatency.record(now - sent.time, count: sent.count) }
        }
        if settings.credit == .ack {
            socket.publisher.credit += Int(count)
            list(socket)
        }
    }

    private func giveCredit(toPublisher number: Int) {
        let place = number / settings.threads
        guard number % settings.threads == index, place < publishers.count else { return }
        publishers[place].publisher.credit += 1
        list(publishers[place])
    }

    /// Resumes reading from the stalled subscribers.
    func resumeStalled() {
        for socket in subscribers where socket.isStalled && socket.phase == .ready {
            socket.isStalled = false
            listen(socket, to: .readable)
        }
    }
}
