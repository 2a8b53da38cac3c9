/// A topic that a journal has kept.
package struct RestoredTopic: Sendable {
    package let number: UInt32
    package let name: String
    package let epoch: String
    package let settings: TopicSettings
    /// The offset that the next publish gets.
    package var head: Offset
    /// Where the messages before the head can be read.
    package var archive: ArchiveSource?
    /// Those that are in memory, in the order of their offsets.
    package var batches: [Batch]
    /// The message ids that the topic has to recognize, in the order of their offsets.
    package var ids: [(offset: Offset, id: String, time: Int64)]

    package init(
        number: UInt32,
        name: String,
        epoch: String,
        settings: TopicSettings,
        head: Offset = 1,
        archive: ArchiveSource? = nil,
        batches: [Batch] = [],
        ids: [(offset: Offset, id: String, time: Int64)] = []
    ) {
        self.number = number
        self.name = name
        self.epoch = epoch
        self.settings = settings
        self.head = head
        self.archive = archive
        self.batches = batches
        self.ids = ids
    }
}
