import ApusTesting

extension SeededGenerator {
    /// So many bytes; eight at a time, as tests make many of them.
    mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { room, done in
            var place = 0
            while place < count {
                withUnsafeBytes(of: next()) { word in
                    for index in 0..<min(8, count - place) { room[place + index] = word[index] }
                }
                place += 8
            }
            done = count
        }
    }
}
