/// The place of a publication in its topic's log: 1, 2, 3, … without holes.
public typealias Offset = UInt64
