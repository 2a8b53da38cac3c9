import ApusLoad

/// The message that a peer carries.
///
/// It is the same JSON object that Apus is given as `message`, without what Apus' protocol has around it.
struct PeerMessage {
    /// The text with any numbers.
    let bytes: [UInt8]
    /// Where the mark is in it.
    let mark: Int
    /// Where the UUID is in it.
    let identifier: Int

    /// The quotes of the payload, which count as its bytes.
    static let quotes = 2
    /// The fewest bytes of payload that hold a mark.
    static let smallestPayload = LoadMark.byteCount + quotes

    init(payloadBytes: Int) {
        var text = Array(#"{"id":""#.utf8)
        identifier = text.count
        text += Array(#"00000000-0000-4000-8000-000000000000","payload":""#.utf8)
        mark = text.count
        text += PublishTemplate.payload(bytes: payloadBytes - Self.quotes)
        text += Array(#""}"#.utf8)
        bytes = text
    }

    /// A publish with this message between what a protocol has before and after it.
    ///
    /// - Parameter topicEnd: where in `head` the topic's name ends; nil where it is not in it.
    func template(head: [UInt8], topicEnd: Int?, tail: [UInt8] = []) -> PublishTemplate {
        var template = PublishTemplate(bytes: head + bytes + tail, mark: head.count + mark)
        template.identifier = head.count + identifier
        template.topicDigits = topicEnd.map { $0 - LoadTopics.digits }
        return template
    }
}
