# syntax=docker/dockerfile:1
# Two images of one program:
#   docker build --target controller -t registry.example.com/onbehalf/controller:0.0.0 .
#   docker build --target agent -t registry.example.com/onbehalf/agent:0.0.0 .
# Both run as nobody in particular (65532), write no file, and have no shell and no package manager in them.

FROM node:24-bookworm-slim AS source
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY deploy/image/keep-peers.mjs deploy/image/

FROM source AS build
RUN npm ci --ignore-scripts --loglevel=notice
COPY tsconfig.base.json tsconfig.src.json tsconfig.pack.json ./
COPY src src
RUN npx tsc -p tsconfig.pack.json --outDir dist

# Of all packages that the library can work with, those that the program needs, in the versions of the lock file.
FROM source AS controller-packages
RUN node deploy/image/keep-peers.mjs @kubernetes/client-node @modelcontextprotocol/client yaml zod \
  && npm ci --omit=dev --ignore-scripts --loglevel=notice

FROM source AS agent-packages
RUN node deploy/image/keep-peers.mjs @a2a-js/sdk @ai-sdk/amazon-bedrock @ai-sdk/anthropic @ai-sdk/azure @ai-sdk/openai \
    @google/adk @modelcontextprotocol/client @opentelemetry/api zod \
  && npm ci --omit=dev --ignore-scripts --loglevel=notice

FROM gcr.io/distroless/nodejs24-debian12:nonroot AS runtime
WORKDIR /app
ENV NODE_ENV=production
COPY package.json LICENSE ./
COPY --from=build /app/dist dist
USER 65532:65532

FROM runtime AS controller
COPY --from=controller-packages /app/node_modules node_modules
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cli/main.js", "controller"]

# A pod gives it `--host 0.0.0.0 --port 8080 --filepath /config`, as it does to an image that a user brings.
FROM runtime AS agent
COPY --from=agent-packages /app/node_modules node_modules
EXPOSE 8080
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cli/main.js", "agent"]
