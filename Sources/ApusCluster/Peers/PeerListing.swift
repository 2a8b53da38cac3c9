import ApusProtocol

/// Which subscribers a node asks the others for.
package struct ListingRequest: Sendable, Equatable {
    /// Names the request among those of its node.
    package let number: UInt64
    /// `nil` for those of all topics.
    package let topic: String?
    /// What comes first.
    package let order: String
    package let limit: Int
    /// What the topic, the client id or the address has to contain.
    package let search: String?

    package init(number: UInt64, topic: String?, order: String, limit: Int, search: String?) {
        self.number = number
        self.topic = topic
        self.order = order
        self.limit = limit
        self.search = search
    }
}

/// Some of the subscribers that a node has.
package struct ListingPart: Sendable, Equatable {
    /// Rows of one part: so many bytes at most, or one row.
    package static let bytes = 64 << 10
    /// Longer rows are not told.
    package static let longestRow = 16 << 10

    package struct Row: Sendable, Equatable {
        /// A larger one comes first.
        package let rank: Int64
        /// Whether the subscriber has left.
        package let isGone: Bool
        /// An object.
        package let json: String

        package init(rank: Int64, isGone: Bool, json: String) {
            self.rank = rank
            self.isGone = isGone
            self.json = json
        }
    }

    /// Who asked, and the number of the request.
    package let to: UInt64
    package let number: UInt64
    package let isLast: Bool
    package let rows: [Row]

    init(to: UInt64, number: UInt64, isLast: Bool, rows: [Row]) {
        self.to = to
        self.number = number
        self.isLast = isLast
        self.rows = rows
    }

    /// The parts of an answer, at least one.
    package static func parts(_ rows: [Row], to node: UInt64, number: UInt64) -> [ListingPart] {
        var parts: [[Row]] = [[]]
        var size = 0
        for row in rows where row.json.utf8.count <= longestRow {
            if size > 0, size + row.json.utf8.count > bytes {
                parts.append([])
                size = 0
            }
            parts[parts.count - 1].append(row)
            size += row.json.utf8.count
        }
        return parts.enumerated().map { index, rows in
            ListingPart(to: node, number: number, isLast: index == parts.count - 1, rows: rows)
        }
    }
}

// MARK: As text

extension ListingRequest {
    private static let mostRows: UInt64 = 100_000

    func write(to writer: inout JSONWriter) {
        writer.member("number", number)
        if let topic { writer.member("topic", topic) }
        writer.member("order", order)
        writer.member("limit", limit)
        if let search { writer.member("search", search) }
    }

    init?(_ fields: PeerFields, largest: UInt64) {
        guard let number = fields.number("number", atMost: largest), let order = fields.text("order", atMost: 16),
            let limit = fields.number("limit", atMost: Self.mostRows)
        else { return nil }
        self.init(
            number: number,
            topic: fields.text("topic", atMost: 255),
            order: order,
            limit: Int(limit),
            search: fields.text("search", atMost: 1024)
        )
    }
}

extension ListingPart {
    func write(to writer: inout JSONWriter) {
        writer.member("to", String(to, radix: 16))
        writer.member("number", number)
        writer.member("last", isLast)
        writer.array("rows", of: rows) { writer, row in
            writer.member("rank", row.rank)
            writer.member("gone", row.isGone)
            writer.member("row", row.json)
        }
    }

    init?(_ fields: PeerFields, largest: UInt64) {
        guard let to = fields.id("to"), let number = fields.number("number", atMost: largest),
            let isLast = fields.flag("last"), case .array(let values)? = fields["rows"]
        else { return nil }
        var rows: [Row] = []
        for value in values {
            guard case .object(let members) = value,
                let json = PeerFields(members).text("row", atMost: Self.longestRow),
                case .number(let rank)? = PeerFields(members)["rank"], let rank = Int64(rank),
                let isGone = PeerFields(members).flag("gone")
            else { return nil }
            rows.append(Row(rank: rank, isGone: isGone, json: json))
        }
        self.init(to: to, number: number, isLast: isLast, rows: rows)
    }
}
