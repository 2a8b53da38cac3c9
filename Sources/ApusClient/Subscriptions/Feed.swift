import ApusProtocol

/// The state of one subscription on the server.
///
/// A value without I/O. It converts the server's messages to deliveries for the consumer, drops duplicates, and knows
/// where to resume after a reconnect.
///
/// ```
///            ack                        topic_deleted
///   away ───────────▶ live ───────────────────────────────▶ over
///    │  ▲                 ▲                                  (or waiting again, if it is to wait)
///    │  └ disconnected    │ topic_created, or an ack
///    └──────────────▶ waiting
///     ack: waiting, or TOPIC_NOT_FOUND where the topic was there before
/// ```
struct Feed {
    private enum Stage {
        /// The server has not acked the subscription on this connection.
        case away
        /// The topic does not exist. Either the server reports when it does, or the client asks again.
        case waiting
        case live
        /// The topic is gone, and the client does not ask for it again.
        case over
    }

    let filter: TopicSelection
    let options: ApusClient.SubscribeOptions
    private var stage = Stage.away
    /// The position of the last received message; `nil` without positions.
    private(set) var position: ApusClient.Position?
    /// Whether the server has answered a subscribe. Then `position`, not the options, says where to resume.
    private(set) var isKnown = false
    /// Whether the feed ever was live. If so, it owes nothing from before its topic's deletion.
    private var wasLive = false
    /// The last subscribe command.
    private var asked: SubscribeCommand?
    /// Whether the topic did not exist at the last subscribe. Then all its messages are newer than that.
    private var isAbsent = false
    /// Whether the consumer knows that the topic does not exist.
    private var isAbsenceTold = false

    init(filter: TopicSelection, options: ApusClient.SubscribeOptions) {
        self.filter = filter
        self.options = options
    }

    var isLive: Bool { stage == .live }
    var isOver: Bool { stage == .over }

    /// Whether the server was asked to wait for the topic. It then keeps the subscription even if the topic is deleted.
    var isWaitAsked: Bool { asked?.waits ?? false }

    // MARK: Subscribing

    /// Creates the subscribe command for a new connection.
    mutating func subscribe(clientID: String) -> SubscribeCommand {
        stage = .away
        var command = SubscribeCommand(topic: filter.text, clientID: clientID)
        command.hasPositions = !filter.isPattern
        command.overflow = options.overflow
        command.queue = options.queue
        command.hasPresence = options.hasPresence
        // A subscription that was once made continues: it waits if its topic is missing.
        command.waits = !filter.isPattern && (options.waitsForTopic || isKnown)
        if let position {
            command.since = .after(position)
        } else if isAbsent {
            command.since = wasLive ? .text("all") : startPosition.map { .after($0) } ?? .text("all")
        } else if !isKnown {
            start(&command)
        }
        asked = command
        return command
    }

    private func start(_ command: inout SubscribeCommand) {
        switch options.start {
        case .live: break
        case .last(let count): command.lastN = count
        case .after(let position): command.since = .after(position)
        case .age(let age): command.since = .text(age.commandText)
        case .time(let time): command.since = .text(time)
        case .all: command.since = .text("all")
        }
    }

    /// Handles the server's ack. Updates the position and returns the notices for the consumer.
    mutating func acked(_ ack: ServerMessage.Ack) -> [ApusClient.Notice] {
        if ack.isWaiting { return absent(time: ack.time) }
        let known = askedPosition
        // A recovered subscription resumes after the requested position, whatever position the ack contains.
        if ack.isRecovered == true, let known { return live(at: known, nil, time: ack.time) }
        let start = ApusClient.Position(ack)
        if isAbsent, asked?.since == .text("all") {
            // The topic was created after the last subscribe. Nothing is missing if its whole history is kept.
            let gap = start?.offset == 0 ? nil : start.map { ApusClient.Gap.missed(1...$0.offset) } ?? .unknown
            return live(at: start, gap, time: ack.time)
        }
        let isGap = isKnown ? ack.isRecovered != true : ack.isRecovered == false
        return live(at: start, isGap ? gap(after: known, start, ack.missed) : nil, time: ack.time)
    }

    private func gap(
        after known: ApusClient.Position?,
        _ start: ApusClient.Position?,
        _ missed: ClosedRange<Int>?
    ) -> ApusClient.Gap {
        if let missed { return .missed(missed) }
        guard let known, let start, known.epoch != start.epoch else { return .unknown }
        return .newEpoch
    }

    private mutating func live(
        at start: ApusClient.Position?,
        _ gap: ApusClient.Gap?,
        time: String
    ) -> [ApusClient.Notice] {
        var kinds: [ApusClient.Notice.Kind] = []
        if let gap { kinds.append(.gap(gap)) }
        if isAbsenceTold { kinds.append(.topicCreated) }
        stage = .live
        wasLive = true
        position = start
        isKnown = true
        isAbsent = false
        isAbsenceTold = false
        return kinds.map { ApusClient.Notice(topic: filter.text, kind: $0, time: time) }
    }

    /// Handles a missing topic: the feed waits for it.
    private mutating func absent(time: String) -> [ApusClient.Notice] {
        stage = .waiting
        isKnown = true
        isAbsent = true
        defer { isAbsenceTold = true }
        return isAbsenceTold ? [] : [ApusClient.Notice(topic: filter.text, kind: .waiting, time: time)]
    }

    /// Handles `TOPIC_NOT_FOUND` from a server that does not support waiting. Returns `nil` if the refusal is final.
    mutating func refusedForItsTopic(time: String) -> [ApusClient.Notice]? {
        isWaitAsked ? absent(time: time) : nil
    }

    private var startPosition: ApusClient.Position? {
        guard case .after(let position) = options.start else { return nil }
        return position
    }

    private var askedPosition: ApusClient.Position? {
        guard case .position(let epoch, let offset) = asked?.since else { return nil }
        return ApusClient.Position(epoch: epoch, offset: offset)
    }

    /// Handles the loss of the connection.
    mutating func disconnected() {
        if stage != .over { stage = .away }
    }

    // MARK: Receiving

    /// The event for the consumer; `nil` if the event is a duplicate or belongs to an earlier subscription.
    mutating func received(_ event: ServerMessage.Event) -> ApusClient.Event? {
        guard isLive else { return nil }
        if let offset = event.offset, let last = position {
            guard offset > last.offset else { return nil }
            position = ApusClient.Position(epoch: last.epoch, offset: offset)
        }
        return ApusClient.Event(
            topic: event.topic,
            id: event.id,
            payload: event.payload,
            message: event.message,
            key: event.key,
            position: event.offset == nil ? nil : position,
            time: event.time
        )
    }

    /// The notices for the consumer; empty if the info does not concern this feed.
    mutating func received(_ info: ServerMessage.Info) -> [ApusClient.Notice] {
        guard let topic = info.topic else { return [] }
        if stage == .waiting, info.message == "topic_created" { return created(info) }
        guard isLive, let kind = kind(of: info) else { return [] }
        if let dropped = info.droppedOffsets, let last = position, dropped.upperBound > last.offset {
            position = ApusClient.Position(epoch: last.epoch, offset: dropped.upperBound)
        }
        let notice = ApusClient.Notice(topic: topic, kind: kind, time: info.time)
        guard kind == .topicDeleted, !filter.isPattern else { return [notice] }
        guard options.waitsForTopic else {
            stage = .over
            return [notice]
        }
        // The next events belong to a new topic, and the consumer needs all of them.
        position = nil
        asked?.since = nil
        return [notice] + absent(time: info.time)
    }

    /// Handles the creation of the awaited topic. Its first event has offset 1.
    private mutating func created(_ info: ServerMessage.Info) -> [ApusClient.Notice] {
        let known = askedPosition
        if let known, known.epoch == info.epoch { return live(at: known, nil, time: info.time) }
        let start = info.epoch.map { ApusClient.Position(epoch: $0, offset: 0) }
        return live(at: start, known == nil ? nil : gap(after: known, start, nil), time: info.time)
    }

    private func kind(of info: ServerMessage.Info) -> ApusClient.Notice.Kind? {
        switch info.message {
        case "messages_dropped": .dropped(count: info.dropped ?? 0, offsets: info.droppedOffsets)
        case "topic_deleted": .topicDeleted
        case "slow_consumer_warning": .slowConsumerWarning(lag: info.lag ?? 0, queue: info.queue ?? 0)
        case "joined": .joined(clientID: info.clientID ?? "")
        case "left": .left(clientID: info.clientID ?? "")
        default: nil
        }
    }
}

extension SubscribeCommand.Since {
    fileprivate static func after(_ position: ApusClient.Position) -> Self {
        .position(epoch: position.epoch, offset: position.offset)
    }
}
