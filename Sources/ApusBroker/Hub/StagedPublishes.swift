import Glibc

/// Plain publishes of one connection to one topic that go into its log together: one lock for all of them.
///
/// ```
/// read ──► scan, stage ──► scan, stage ──► … ──► commit: append all, then acknowledge all
/// ```
/// The texts stay where they were read. A connection commits before its read ends, and before it handles anything else,
/// so that the order of commands and replies is the order in which they came. Therefore all connections of a loop can
/// share one.
package struct StagedPublishes {
    /// The most commands that are staged: a commit then holds the topic's lock for some microseconds.
    package static let limit = 64

    package struct Entry {
        package let command: UnsafeRawBufferPointer
        package let requestID: UnsafeRawBufferPointer?
    }

    /// What became of all that was staged.
    package struct Result {
        package let topic: Topic
        /// The outcome of those that were published, from the first; `nil` if none was.
        package let outcome: PublishOutcome?
        /// The outcome of the one after them, if any. If it says that the publisher must wait, call
        /// ``Hub/wait(_:for:_:)``; otherwise publish the rest one by one.
        package let refusal: PublishOutcome?

        /// How many were published, from the first.
        package var count: Int {
            switch outcome {
            case .published(let receipt), .uncommitted(let receipt): receipt.count
            default: 0
            }
        }

        /// What has to be kept before they are published, if anything.
        package internal(set) var commit: Commit?
    }

    /// The bytes of the topic's name, in the first command.
    private(set) var topic = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var entries = ContiguousArray<Entry>()
    /// The message of each entry: a JSON object.
    private(set) var messages = ContiguousArray<UnsafeRawBufferPointer>()

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }
    package var count: Int { entries.count }

    /// Whether something is staged, and goes to the topic of that name: then a publish to it can be staged as well.
    package func isTo(_ name: UnsafeRawBufferPointer) -> Bool {
        guard !isEmpty else { return false }
        guard name.count == topic.count, let name = name.baseAddress, let known = topic.baseAddress else {
            return false
        }
        return memcmp(name, known, topic.count) == 0
    }

    /// Stages a publish, the first or one to the topic of the others.
    package mutating func append(
        _ command: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?,
        message: UnsafeRawBufferPointer,
        topic name: UnsafeRawBufferPointer
    ) {
        if isEmpty { topic = name }
        entries.append(Entry(command: command, requestID: requestID))
        messages.append(message)
    }

    package mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        messages.removeAll(keepingCapacity: true)
    }
}
