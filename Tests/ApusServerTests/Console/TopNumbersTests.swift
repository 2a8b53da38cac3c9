import ApusTesting
import Testing

@testable import ApusServer

/// Pages in the order of a number, compared with plain sorting.
@Suite struct TopNumbersTests {
    private static let many = 100_000

    private func sorted(_ numbers: [Double]) -> [Int] {
        numbers.indices.sorted { (-numbers[$0], $0) < (-numbers[$1], $1) }
    }

    @Test(arguments: 0..<200)
    func `any page is that of all sorted`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 0...300, using: &generator)
        let sign = Bool.random(using: &generator) ? 1.0 : -1.0
        let numbers = (0..<count).map { _ in sign * Double(Int.random(in: 0...20, using: &generator)) / 3 }
        let offset = Int.random(in: 0...320, using: &generator)
        let range = offset..<(offset + Int.random(in: 1...40, using: &generator))
        #expect(TopNumbers.places(range, of: numbers) == Array(sorted(numbers)[range.clamped(to: 0..<count)]))
    }

    enum Kind: CaseIterable {
        case equal, rising, falling, random, large, signs
    }

    @Test(arguments: Kind.allCases)
    func `the first, a middle and the last page of a hundred thousand are right`(kind: Kind) {
        var generator = SeededGenerator(seed: 1)
        let numbers = (0..<Self.many).map { place in
            switch kind {
            case .equal: 0.0
            case .rising: Double(place)
            case .falling: Double(-place)
            case .random: Double.random(in: 0...1e6, using: &generator)
            case .large: Double(UInt64.random(in: 0...UInt64.max, using: &generator))
            case .signs: Double.random(in: -1...1, using: &generator)
            }
        }
        let all = sorted(numbers)
        for first in [0, Self.many / 8, Self.many / 2, Self.many - 200] {
            #expect(TopNumbers.places(first..<(first + 200), of: numbers) == Array(all[first..<(first + 200)]))
        }
    }

    @Test func `both zeros are the same number, and what is infinite comes first and last`() {
        #expect(TopNumbers.places(0..<9, of: [0, -0.0, 0, -.infinity, .infinity, -1]) == [4, 0, 1, 2, 5, 3])
        #expect(TopNumbers.places(2..<2, of: [1]) == [] && TopNumbers.places(5..<9, of: [1, 2]) == [])
    }
}
