extension OpenAPIDocument {
    /// The paths that are the same for both dialects: operators' endpoints, the JavaScript client, and this
    /// description.
    static let commonPaths = [probes, metrics, client, descriptions].joined(separator: ",\n")

    private static let probes = #"""
        "/livez": {
          "get": {
            "operationId": "getLiveness",
            "tags": ["operations"],
            "summary": "Do the event loops work",
            "security": [{}],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "They do.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Probe" } } }
              },
              "503": {
                "description": "One was silent for `live_timeout`: a restart may help.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Probe" } } }
              }
            }
          }
        },
        "/readyz": {
          "get": {
            "operationId": "getReadiness",
            "tags": ["operations"],
            "summary": "Are new clients welcome",
            "security": [{}],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "They are.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Probe" } } }
              },
              "503": {
                "description": "The server is shutting down.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Probe" } } }
              }
            }
          }
        }
        """#

    private static let metrics = #"""
        "/metrics": {
          "get": {
            "operationId": "getMetrics",
            "tags": ["operations"],
            "summary": "Counters for Prometheus",
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "The text format, version 0.0.4.",
                "content": { "text/plain": { "schema": { "type": "string" } } }
              },
              "401": { "$ref": "#/components/responses/Unauthorized" }
            }
          }
        }
        """#

    private static let client = #"""
        "/apus.js": {
          "get": {
            "operationId": "getClient",
            "tags": ["docs"],
            "summary": "The JavaScript client, an ES module",
            "security": [{}],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "Pages of other origins may import it, too.",
                "headers": { "ETag": { "schema": { "type": "string" } } },
                "content": { "text/javascript": { "schema": { "type": "string" } } }
              },
              "304": { "$ref": "#/components/responses/NotModified" }
            }
          }
        },
        "/apus.d.ts": {
          "get": {
            "operationId": "getClientTypes",
            "tags": ["docs"],
            "summary": "The types of the JavaScript client",
            "security": [{}],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "For TypeScript.",
                "headers": { "ETag": { "schema": { "type": "string" } } },
                "content": { "text/plain": { "schema": { "type": "string" } } }
              },
              "304": { "$ref": "#/components/responses/NotModified" }
            }
          }
        }
        """#

    private static let descriptions = #"""
        "/docs": {
          "get": {
            "operationId": "getDocs",
            "tags": ["docs"],
            "summary": "This interface as a page for people",
            "security": [{}],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "A page that needs nothing from elsewhere.",
                "headers": { "ETag": { "schema": { "type": "string" } } },
                "content": { "text/html": { "schema": { "type": "string" } } }
              },
              "304": { "$ref": "#/components/responses/NotModified" }
            }
          }
        },
        "/openapi.json": {
          "get": {
            "operationId": "getOpenAPI",
            "tags": ["docs"],
            "summary": "This document",
            "security": [{}],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "OpenAPI 3.1.",
                "headers": { "ETag": { "schema": { "type": "string" } } },
                "content": { "application/json": { "schema": { "type": "object" } } }
              },
              "304": { "$ref": "#/components/responses/NotModified" }
            }
          }
        }
        """#
}
