/** What `onbehalf agent --help` prints. */
export const AGENT_HELP = `Serve an agent over A2A that acts for its caller and for nobody else: each MCP server gets a token of this user, for
that server only, by OAuth 2.0 Token Exchange (RFC 8693).

Usage: onbehalf agent --filepath DIR [--host H] [--port N] [--admin-port N] [--json]

Options:
  --filepath DIR  Folder with config.json and agent-card.json
  --host H        Address to listen on. Default 127.0.0.1; in a container 0.0.0.0
  --port N        Port to listen on; 0 picks a free one. Default 8080
  --admin-port N  Port on the same address for GET /metrics (Prometheus). Default: none
  --json          Print one JSON object per line: one at start, one at the end; warnings to standard error
  -h, --help      Show this help

It serves
  POST /                              A2A, JSON-RPC: message/send, message/stream, tasks/get, tasks/cancel,
                                      tasks/resubscribe
  GET  /.well-known/agent-card.json   The agent card
  GET  /health, /ready                For probes

A config.json with one MCP server, whose calls carry tokens for the audience "calendar":
  {
    "name": "team/assistant",
    "model": { "type": "gemini", "model": "gemini-2.5-flash", "api_key": "\${GOOGLE_API_KEY}" },
    "instruction": "Help with the calendar.",
    "http_tools": [
      { "name": "calendar", "params": { "url": "https://calendar.example.com/mcp" }, "sts_audience": "calendar" }
    ],
    "token_exchange": {
      "token_services": {
        "sts": {
          "issuer": "https://sts.example.com",
          "client_id": "assistant",
          "client_authentication": { "method": "client_secret_basic", "client_secret": "file:/run/secrets/sts" },
          "actor": { "source": "client_credentials" }
        }
      }
    },
    "authentication": {
      "mode": "jwt", "audience": "assistant", "issuers": [{ "issuer": "https://sts.example.com" }]
    }
  }

  agent-card.json may be { "name": "assistant", "description": "Knows your calendar" }.

Secrets are file:/path, read anew when needed, or \${VARIABLE} of the environment. A wrong field is told by its path.
Changed files are taken up within 5 seconds, for new runs; wrong ones are told and refused, and the agent goes on as it is.
SIGTERM and SIGINT stop it: runs under way may end for 20 seconds. Needs the packages @google/adk,
@a2a-js/sdk, @modelcontextprotocol/client and zod, and that of the model.

Exit codes: 0 when it was told to end, 1 when it cannot work, 2 for a wrong option. A start that fails is told as text.
`;
