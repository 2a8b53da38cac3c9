import ApusSockets
import Synchronization

extension LoadThread {
    /// How much output of a publisher may wait for its socket in the open loop: 4 MiB.
    private static let backlogLimit = 4 << 20
    /// The number of bytes of publishes to encode before sending.
    private static let batchBytes = 256 << 10
    /// A sleep ends at least this long before the next message is due. The thread spins for the rest. 100 µs.
    private static let wakeMargin: UInt64 = 100_000

    /// Publishes for the duration of the run, and reads what arrives.
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

    /// Makes every publisher with credit send as much as its credit allows.
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
            // The remaining credit waits until the others have had their turn. A publisher with a full socket is listed
            // again later.
            if socket.publisher.credit > 0, !socket.hasUnsent { later.append(socket) }
        }
        listed.removeAll(keepingCapacity: true)
        for socket in later { list(socket) }
    }

    /// Lists a publisher that may publish.
    func list(_ socket: LoadSocket) {
        guard !socket.publisher.isListed, socket.publisher.credit > 0, !socket.hasUnsent else { return }
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
            // The publisher continues when the server has read some. The due times of its messages stay the same.
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

    /// Sleeps until shortly before `due`, in whole milliseconds, or until something arrives.
    private func sleep(until due: UInt64, now: UInt64) {
        let room = due > now + Self.wakeMargin ? due - now - Self.wakeMargin : 0
        poll(timeout: CInt(min(room / 1_000_000, 1_000)))
    }
}

/// When the messages of one thread are due in the open loop.
struct OpenSchedule {
    private let start: UInt64
    /// The interval between two messages of this thread, in nanoseconds.
    private let period: Double
    /// The index of the next message.
    private(set) var turn = 0
    /// When the next message is due, in nanoseconds of the run's clock.
    private(set) var due: UInt64

    init(settings: LoadSettings, rate: Double, index: Int, start: UInt64) {
        // A thread's share of the rate is proportional to its publishers. Each thread begins a little after the one
        // before.
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

/// Measures how long a thread ran in the measured time, and for how long it had nothing to do.
struct TimeMeter {
    private let window: Range<UInt64>
    private var began: (wall: UInt64, run: UInt64)?
    private var last: UInt64 = 0
    private var idle: UInt64 = 0

    init(window: Range<UInt64>) {
        self.window = window
    }

    /// Records one round of the loop.
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
    /// Whether an open loop spins. With `auto`, it does if there are more usable cores than threads.
    var spins: Bool {
        switch waiting {
        case .spin: true
        case .sleep: false
        case .auto: ProcFile.usableCores > threads
        }
    }
}
