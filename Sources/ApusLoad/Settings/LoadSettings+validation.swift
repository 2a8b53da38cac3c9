import ApusSockets

extension LoadSettings {
    /// The maximum number of threads.
    public static let threadLimit = 64
    /// The most records that are kept: subscribers times publishers, and likewise publishers times topics.
    ///
    /// A record takes 16 bytes for the former, and 8 bytes for the latter. That is at most 800 MB and 400 MB.
    public static let recordLimit = 50_000_000
    /// Descriptors for other uses than connections: epoll, timers, /proc, the terminal, REST.
    static let spareFiles = 64

    /// Checks that these settings are possible.
    ///
    /// - Throws: ``LoadFailure`` `.impossible`, with the reason in one sentence.
    public func validate() throws(LoadFailure) {
        func check(_ isPossible: Bool, _ message: @autoclosure () -> String) throws(LoadFailure) {
            if !isPossible { throw LoadFailure(.impossible, message()) }
        }
        try check(subscribers >= 0 && publishers >= 0, "there cannot be fewer than 0 subscribers or publishers")
        try check(connections > 0, "without subscribers and publishers there is nothing to do")
        try check((1...LoadTopics.limit).contains(topics), "topics must be from 1 to \(LoadTopics.limit)")
        try check(
            publishers <= LoadMark.publisherLimit,
            "publishers must be at most \(LoadMark.publisherLimit): messages have room for no more"
        )
        try check((1...Self.threadLimit).contains(threads), "threads must be from 1 to \(Self.threadLimit)")
        try check(
            stalled >= 0 && stalled <= subscribers,
            "of \(subscribers) subscribers \(stalled) cannot be slow"
        )
        try check(
            duration > 0 && duration <= 86_400 && warmup >= 0 && warmup <= 3_600,
            "the duration must be above 0 s and at most a day, the warm-up at most an hour"
        )
        try check(
            payloadBytes >= wire.smallestPayload,
            "a payload of \(payloadBytes) bytes is too small for the numbers it must carry: "
                + "it takes \(wire.smallestPayload)"
        )
        try check(
            payloadBytes <= WebSocketFrame.payloadLimit / 2,
            "a payload can have at most \(WebSocketFrame.payloadLimit / 2) bytes"
        )
        try check(
            subscribers * publishers <= Self.recordLimit && publishers * topics <= Self.recordLimit,
            "\(subscribers) subscribers, \(publishers) publishers and \(topics) topics are more than can be kept "
                + "track of: subscribers times publishers, and publishers times topics, must be at most "
                + "\(Self.recordLimit)"
        )
        try validatePace()
    }

    private func validatePace() throws(LoadFailure) {
        switch pace {
        case .none: break
        case .window(let window):
            guard (1...1_000_000).contains(window) else {
                throw LoadFailure(.impossible, "the window must be from 1 to 1000000")
            }
            if credit == .ack, !wire.acknowledgesPublishes {
                throw LoadFailure(.impossible, "\(wire.name) acknowledges no publishes: take credit by delivery")
            }
            if credit == .delivery,
                subscribers < topics * threads || (0..<(topics * threads)).contains(where: isStalled)
            {
                throw LoadFailure(
                    .impossible,
                    "credit by delivery needs a subscriber that reads on each topic in each thread"
                )
            }
        case .rate(let rate):
            guard rate.isFinite, (0.001...100_000_000).contains(rate) else {
                throw LoadFailure(.impossible, "the rate must be from 0.001 to 100000000 messages a second")
            }
        }
        if wire.publishersHaveOneTopic, isPublishing, topics > publishers {
            throw LoadFailure(.impossible, "\(wire.name) needs a publisher for each topic")
        }
    }

    /// Raises the limit of open files as far as necessary and possible.
    ///
    /// - Throws: ``LoadFailure`` `.impossible` when the limit is too low.
    public func claimFiles() throws(LoadFailure) {
        let needed = connections + Self.spareFiles
        OpenFiles.raiseLimit(to: needed)
        guard let limit = OpenFiles.limit else { return }
        guard limit >= needed else {
            throw LoadFailure(
                .impossible,
                "\(connections) connections need \(needed) open files, but `ulimit -Hn` allows \(limit)"
            )
        }
    }
}
