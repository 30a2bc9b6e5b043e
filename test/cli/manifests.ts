import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { temporaryDirectory } from '../support/files.ts';

/** Writes files into a directory of their own. */
export async function filesOf(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await temporaryDirectory();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}

/** A TokenService, a model, two servers and their Agent demo/assistant. */
export const DEMO = `apiVersion: onbehalf.dev/v1alpha1
kind: TokenService
metadata: { name: default, namespace: demo }
spec:
  issuer: https://sts.example.com
  clientID: agents
  clientAuthentication:
    method: client_secret_basic
    clientSecretRef: { name: client, key: secret }
---
apiVersion: v1
kind: Secret
metadata: { name: client, namespace: demo }
stringData: { secret: planted-secret-value }
---
apiVersion: onbehalf.dev/v1alpha1
kind: ModelConfig
metadata: { name: default-model-config, namespace: demo }
spec: { provider: OpenAI, model: example-model }
---
apiVersion: onbehalf.dev/v1alpha1
kind: RemoteMCPServer
metadata: { name: calendar, namespace: demo }
spec:
  description: Calendar
  url: https://calendar.example.com/mcp
  stsAudience: calendar
---
apiVersion: onbehalf.dev/v1alpha1
kind: RemoteMCPServer
metadata: { name: mail, namespace: demo }
spec:
  description: Mail
  url: https://mail.example.com/mcp
  stsAudience: mail
---
apiVersion: onbehalf.dev/v1alpha1
kind: Agent
metadata: { name: assistant, namespace: demo }
spec:
  declarative:
    systemMessage: Be kind.
    tools:
      - type: McpServer
        mcpServer: { name: calendar, toolNames: [list, create] }
      - type: McpServer
        mcpServer:
          name: mail
          tokenExchange: { audiences: [mail-of-assistant], scopes: ["mail:read"] }
`;

/** An Agent with two mistakes, one in the line after the other. */
export const WRONG = `apiVersion: onbehalf.dev/v1alpha1
kind: Agent
metadata: { name: wrong, namespace: demo }
spec:
  declarative:
    modelConfig: gone
    tools:
      - type: McpServer
        mcpServer:
          name: nowhere
`;

/** An Agent and a server as kagent has them. */
export const KAGENT = `apiVersion: kagent.dev/v1alpha2
kind: RemoteMCPServer
metadata:
  name: files
  namespace: demo
  annotations: { onbehalf.dev/sts-audience: files }
spec:
  description: Files
  url: https://files.example.com/mcp
---
apiVersion: kagent.dev/v1alpha2
kind: Agent
metadata: { name: clerk, namespace: demo }
spec:
  type: Declarative
  declarative:
    modelConfig: default-model-config
    systemMessage: Be kind.
    tools:
      - type: McpServer
        mcpServer: { apiGroup: kagent.dev, kind: RemoteMCPServer, name: files, toolNames: [read] }
`;
