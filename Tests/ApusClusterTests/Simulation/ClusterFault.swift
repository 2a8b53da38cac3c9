/// A mistake that a test makes between a node and its JetStream, or its server, to see that the simulation finds it.
enum ClusterFault: CaseIterable, Sendable {
    /// Packs are sent without saying which message has to be the last.
    case expectsNothing
    /// A pack that was refused gets another number before the mirror has shown what took its place.
    case renumbersWithoutLooking
    /// Publishes are acked when a leader has taken them, before a majority has.
    case acksProposals
    /// A message that is sent again has another id.
    case sendsWithAnotherID
    /// The tombstone goes with what it ends.
    case purgesTombstone
    /// Messages that are gone already are taken for messages that were missed.
    case takesTrimForGap
    /// Publishers are answered before there is an outcome.
    case acksBeforeCommit
    /// A consumer goes on one message too far.
    case skipsOne
    /// What is missing between a consumer's messages is not noticed.
    case ignoresGaps
    /// Ids of other nodes' messages are not looked at.
    case forgetsForeignIDs
    /// A topic is deleted in the registry only.
    case buriesNothing
    /// Topics are made without saying that there must be none.
    case createsBlindly
    /// After a stream has lost messages its topics keep their epochs.
    case keepsEpoch
    /// A time-out is taken for a refusal: publishers are told that nothing happened, and publish again.
    case publishesAgain
    /// Messages that come again are shown again.
    case showsTwice
    /// Nobody finishes the deletions of others.
    case leavesHalfDeleted
}
