import ApusBroker
import ApusProtocol
import NIOCore

/// The frame of the last presence info of a loop. All that watch a topic get the same, one after the other.
struct PresenceFrame {
    // The topic's name and epoch. The topic itself would keep its log in memory.
    private var name = ""
    private var epoch = ""
    private var hasJoined = false
    private var clientID = ""
    private var dialect = Dialect.base
    private var time = Timestamp(milliseconds: 0)
    private var frame = ByteBuffer()

    mutating func frame(
        of topic: Topic,
        hasJoined: Bool,
        clientID: String,
        dialect: Dialect,
        time: Timestamp
    ) -> ByteBuffer {
        if hasJoined == self.hasJoined, dialect == self.dialect, time.milliseconds == self.time.milliseconds,
            topic.epoch == epoch, ExactText(topic.name) == ExactText(name),
            ExactText(clientID) == ExactText(self.clientID)
        {
            return frame
        }
        (name, epoch) = (topic.name, topic.epoch)
        (self.hasJoined, self.clientID, self.dialect, self.time) = (hasJoined, clientID, dialect, time)
        frame = ByteBuffer()
        let info = InfoMessage.presence(topicJSON: topic.template.topicJSON, hasJoined: hasJoined, clientID: clientID)
        MessageEncoder(dialect: dialect).info(info, time: time, to: &frame)
        return frame
    }
}
