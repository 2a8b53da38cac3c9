/// What a ``ClusterNode`` tells its server.
///
/// Of one topic the events come in this order:
///
/// ```
/// opened ─► applied, purged, renewed, changed … ─► closed ─► opened …
///              └► suspended ─► applied, purged … ─► resumed
/// ```
package enum ClusterEvent<Contents: PackContents>: Sendable {
    /// The topic is there, without messages yet, and the next message has this offset.
    case opened(String, TopicEra, TopicEntry)
    case changed(String, TopicEntry)
    /// These messages are the next ones. They may be shown: a majority has them.
    case applied(String, AppliedPack<Contents>)
    /// What is before this offset is not history any more. The next message has this offset.
    case purged(String, before: UInt64)
    /// The topic goes on under another epoch.
    case renewed(String, TopicEra)
    /// The stream may have lost what was shown. Forget the messages, and show none: all come again. It may come again,
    /// too, before the topic is resumed.
    case suspended(String)
    /// What came again may be shown, under this epoch.
    case resumed(String, TopicEra)
    /// The topic was deleted.
    case closed(String)
    /// A publish or a purge has its outcome.
    case done(Ticket, Result<PackReceipt, ClusterFailure>)
    /// The registry has this note now.
    case noted(RegistryNote)
    /// A change of a topic, or a note, has its outcome.
    case answered(Ticket, Result<TopicAnswer, ClusterFailure>)
    /// Everything has come that was acked before somebody asked, or it has not in time.
    case caughtUp(Ticket, Result<Void, ClusterFailure>)
}

/// Messages that are in their topic for good.
package struct AppliedPack<Contents: PackContents>: Sendable {
    package let id: PackID
    package let first: UInt64
    /// In the topic's stream.
    package let sequence: UInt64
    package let contents: Contents
    /// Whether messages before it are gone. What is before `first` is not history any more.
    package let isJump: Bool
}

/// What became of a change of a topic.
package enum TopicAnswer: Sendable, Equatable {
    case created(TopicEra)
    case changed
    case deleted
    /// It exists, so it was not created.
    case exists
    case notFound
    /// Somebody else has changed it meanwhile.
    case conflict
}

/// A change of a topic, or a look at whether there is one.
package enum RegistryChange: Sendable, Equatable {
    case create(epoch: String, settings: String, dedupeWindow: Int64?)
    /// - Parameter entry: what the new settings were made from.
    case set(settings: String, dedupeWindow: Int64?, from: TopicEntry)
    case delete
    /// Whether it exists, by what all nodes have been told until now.
    case look
}
