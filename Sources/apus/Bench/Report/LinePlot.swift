import Foundation

/// Lines over one axis, as SVG. The page's style sheet defines the colours.
struct LinePlot {
    /// One line.
    struct Series {
        let name: String
        let points: [(x: Double, y: Double)]
    }

    private static let width = 640.0
    private static let height = 260.0
    private static let margin = (left: 72.0, right: 32.0, top: 12.0, bottom: 40.0)

    let title: String
    let xLabel: String
    let yLabel: String
    let x: PlotAxis
    let y: PlotAxis
    let series: [Series]

    /// The `figure` element.
    var html: String {
        var svg = "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" "
        svg += "aria-label=\"\(HTML.escaped(title))\">\n"
        svg += grid + lines
        svg += text(Self.width / 2, Self.height - 6, xLabel, anchor: "middle")
        svg += "</svg>"
        return """
            <figure>
            <figcaption>\(HTML.escaped(title)) <span>\(HTML.escaped(yLabel))</span></figcaption>
            \(svg)
            \(legend)</figure>

            """
    }

    private var grid: String {
        var svg = ""
        for tick in y.ticks {
            let place = vertical(tick.place)
            let end = Self.width - Self.margin.right
            svg += "<line class=\"grid\" x1=\"\(number(Self.margin.left))\" x2=\"\(number(end))\" "
            svg += "y1=\"\(number(place))\" y2=\"\(number(place))\"/>\n"
            svg += text(Self.margin.left - 8, place + 4, tick.text, anchor: "end")
        }
        for tick in x.ticks {
            svg += text(horizontal(tick.place), Self.height - Self.margin.bottom + 16, tick.text, anchor: "middle")
        }
        return svg
    }

    private var lines: String {
        series.enumerated().map { index, line in
            let points = line.points.map { point in
                "\(number(horizontal(x.place(point.x)))),\(number(vertical(y.place(point.y))))"
            }
            return "<polyline class=\"line s\(index)\" points=\"\(points.joined(separator: " "))\">"
                + "<title>\(HTML.escaped(line.name))</title></polyline>\n"
        }.joined()
    }

    private var legend: String {
        guard series.count > 1 else { return "" }
        let items = series.enumerated().map { index, line in
            "<li class=\"s\(index)\">\(HTML.escaped(line.name))</li>"
        }
        return "<ul class=\"legend\">\(items.joined())</ul>\n"
    }

    private func text(_ x: Double, _ y: Double, _ text: String, anchor: String) -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(HTML.escaped(text))</text>\n"
    }

    private func horizontal(_ place: Double) -> Double {
        Self.margin.left + place * (Self.width - Self.margin.left - Self.margin.right)
    }

    private func vertical(_ place: Double) -> Double {
        Self.margin.top + (1 - place) * (Self.height - Self.margin.top - Self.margin.bottom)
    }

    private func number(_ value: Double) -> String {
        String(format: "%.1f", value)
    }
}

/// Escapes text for HTML.
enum HTML {
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
    }
}
