import ApusSockets
import Synchronization

extension LoadThread {
    /// How much of a publisher's output may wait for its socket in the open loop: 4 MiB.
    private static let backlogLimit = 4 << 20
    /// How many bytes of publishes are encoded before they are sent.
    private static let batchBytes = 256 << 10
    /// A sleep ends at least so long before the next message is due, and the rest is spun: 100 µs.
    private static let wakeMargin: UInt64 = 100_000

    /// Publishes for the run's time, and reads what comes.
    func publish() {
        let start = shared.start.load(ordering: .acquiring)
        let begin = start + UInt64(settings.warmup * 1e9)
        measured = begin..<(begin + UInt64(settings.duration * 1e9))
        guard start > 0 else { return }
        while LoadClock.now() < start, !shared.isStopping { poll(timeout: 0) }
        var meter = TimeMeter(window: measured)
        if case .rate(let rate) = settings.pace, !publishers.isEmpty {
            report.isSpinning = settings.spins
            publish(OpenSchedule(settings: settings, rate: rate, index: index, start: start), meter: &meter)
        } else {
            publishInWindow(meter: &meter)
        }
        (report.wallTime, report.runTime, report.idleTime) = meter.finish()
    }

    // MARK: Closed loop

    private func publishInWindow(meter: inout TimeMeter) {
        var now = LoadClock.now()
        while now < measured.upperBound, !shared.isStopping {
            if !listed.isEmpty { spendCredit(now: now) }
            poll(timeout: 5)
            now = LoadClock.now()
            meter.turn(at: now, wasIdle: false)
        }
    }

    /// Has every publisher with credit send as much as that allows.
    private func spendCredit(now: UInt64) {
        var later: [LoadSocket] = []
        for socket in listed {
            socket.publisher.isListed = false
            guard socket.phase == .ready else { continue }
            var left = min(socket.publisher.credit, max(1, Self.batchBytes / encoder.byteCount))
            socket.publisher.credit -= left
            output.count = 0
            while left > 0 {
                encode(socket, time: now)
                left -= 1
            }
            socket.send(output.bytes)
            // What is left goes after others had their turn; one whose socket is full is listed again when it is not.
            if socket.publisher.credit > 0, socket.unsentCount == 0 { later.append(socket) }
        }
        listed.removeAll(keepingCapacity: true)
        for socket in later { list(socket) }
    }

    /// Notes that a publisher may publish.
    func list(_ socket: LoadSocket) {
        guard !socket.publisher.isListed, socket.publisher.credit > 0, socket.unsentCount == 0 else { return }
        socket.publisher.isListed = true
        listed.append(socket)
    }

    /// Appends the publisher's next message to the output.
    @inline(__always)
    private func encode(_ socket: LoadSocket, time: UInt64) {
        let topic = socket.publisher.nextTopic
        if !settings.wire.publishersHaveOneTopic {
            socket.publisher.nextTopic = topic + 1 == settings.topics ? 0 : topic + 1
        }
        let place = socket.publisher.firstSequence + topic
        sequences[place] += 1
        socket.publisher.published += 1
        encoder.encode(
            LoadMark(publisher: socket.connection.number, sequence: sequences[place], time: time),
            topic: topic,
            number: socket.publisher.published,
            to: output
        )
        if settings.wire.acknowledgesPublishes { socket.publisher.sent.add(time) }
        report.published += 1
    }

    // MARK: Open loop

    private func publish(_ schedule: OpenSchedule, meter: inout TimeMeter) {
        var schedule = schedule
        var now = LoadClock.now()
        while now < measured.upperBound, !shared.isStopping {
            wasBusy = false
            sendDue(&schedule, now: now)
            if settings.spins {
                poll(timeout: 0)
            } else {
                sleep(until: min(schedule.due, measured.upperBound), now: now)
            }
            now = LoadClock.now()
            meter.turn(at: now, wasIdle: !wasBusy)
        }
    }

    private func sendDue(_ schedule: inout OpenSchedule, now: UInt64) {
        var current: LoadSocket?
        while schedule.due <= now, schedule.due < measured.upperBound {
            let socket = publishers[schedule.turn % publishers.count]
            // It goes on when the server has taken some; the time that its messages were due stays.
            if socket.unsentCount > Self.backlogLimit || socket.phase != .ready { break }
            if socket !== current || output.count > Self.batchBytes {
                current?.send(output.bytes)
                output.count = 0
                current = socket
            }
            encode(socket, time: schedule.due)
            if measured.contains(schedule.due) { lateness.record(now - schedule.due) }
            schedule.advance()
        }
        guard let current else { return }
        wasBusy = true
        current.send(output.bytes)
    }

    /// Sleeps until shortly before the time, in whole milliseconds, or until something comes.
    private func sleep(until due: UInt64, now: UInt64) {
        let room = due > now + Self.wakeMargin ? due - now - Self.wakeMargin : 0
        poll(timeout: CInt(min(room / 1_000_000, 1_000)))
    }
}

/// When the messages of one thread are due in the open loop.
struct OpenSchedule {
    private let start: UInt64
    /// Nanoseconds from one message of this thread to the next.
    private let period: Double
    /// Which message is next.
    private(set) var turn = 0
    /// When it is due, in nanoseconds of the run's clock.
    private(set) var due: UInt64

    init(settings: LoadSettings, rate: Double, index: Int, start: UInt64) {
        // Threads have shares as they have publishers; each begins a little after the one before.
        let own = (0..<settings.publishers).count { $0 % settings.threads == index }
        period = 1e9 / rate * Double(settings.publishers) / Double(max(1, own))
        self.start = start + UInt64(1e9 / rate * Double(index))
        due = self.start
    }

    mutating func advance() {
        turn += 1
        due = start + UInt64(Double(turn) * period)
    }
}

/// How much of the measured time a thread ran, and how much of it it had nothing to do.
struct TimeMeter {
    private let window: Range<UInt64>
    private var began: (wall: UInt64, run: UInt64)?
    private var last: UInt64 = 0
    private var idle: UInt64 = 0

    init(window: Range<UInt64>) {
        self.window = window
    }

    /// Once around the loop.
    @inline(__always)
    mutating func turn(at now: UInt64, wasIdle: Bool) {
        if now >= window.lowerBound {
            if began == nil {
                began = (now, LoadClock.threadTime())
            } else if wasIdle {
                idle += now - last
            }
        }
        last = now
    }

    func finish() -> (wall: UInt64, run: UInt64, idle: UInt64) {
        guard let began else { return (0, 0, 0) }
        return (LoadClock.now() - began.wall, LoadClock.threadTime() - began.run, idle)
    }
}

extension LoadSettings {
    /// Whether an open loop spins: where nothing else is said, when there is a core for each thread and one more.
    var spins: Bool {
        switch waiting {
        case .spin: true
        case .sleep: false
        case .auto: ProcFile.usableCores > threads
        }
    }
}
