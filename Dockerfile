# The page and the command line in one image; docs/serving.md tells of settings and roles.
#   CPU:   docker build --target cpu -t saeunbox .
#          docker run --rm --read-only --tmpfs /tmp -p 8080:8080 -v saeunbox:/data saeunbox
#          docker run --rm --read-only --tmpfs /tmp -v "$PWD/models:/models:ro" -v "$PWD/out:/out" --entrypoint /app/saeunbox saeunbox \
#            generate --model /models/sdxl-turbo --prompt "a dog" --out /out/dog.png
#   CUDA:  docker build --target cuda -t saeunbox:cuda .
#          docker run --rm --gpus all ... saeunbox:cuda --model /models/sdxl-turbo --saes /models/sdxl-saes --device cuda --dtype fp16
# The programs run as the user 1654 and write to /data, /out and /tmp alone; what is mounted there must let that user write.

ARG DOTNET=10.0
ARG CUDA=12.8.1

# ---- CPU: our own binding over Debian 12's libtorch -------------------------------------------------------------------
FROM debian:12-slim AS sdk
ARG DOTNET
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl libicu72 \
 && rm -rf /var/lib/apt/lists/*
ENV DOTNET_ROOT=/usr/share/dotnet PATH=/usr/share/dotnet:$PATH \
    DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
RUN curl -fsSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel $DOTNET --install-dir $DOTNET_ROOT

FROM sdk AS build-cpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make cmake libtorch-dev libopenblas0 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN for program in SaeUnbox.Web SaeUnbox.Cli; do \
      dotnet publish src/$program --configuration Release --no-self-contained --output /app --nologo || exit 1; \
    done

FROM debian:12-slim AS cpu
# Without libopenblas0 libtorch multiplies matrices with a slow reference BLAS.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 libtorch1.13 libopenblas0 libwebp7 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1654 app && useradd --uid 1654 --gid app --no-create-home --home-dir /tmp app \
 && install -d -o app -g app /out /data
COPY --from=sdk /usr/share/dotnet/dotnet /usr/share/dotnet/dotnet
COPY --from=sdk /usr/share/dotnet/host /usr/share/dotnet/host
COPY --from=sdk /usr/share/dotnet/shared /usr/share/dotnet/shared
COPY --from=build-cpu /app /app
ENV DOTNET_ROOT=/usr/share/dotnet DOTNET_EnableDiagnostics=0 HOME=/tmp ASPNETCORE_URLS=http://+:8080 SaeUnbox__Sharing__File=/data/shares.db
USER 1654:1654
WORKDIR /out
EXPOSE 8080
ENTRYPOINT ["/app/SaeUnbox.Web"]

# ---- CUDA: the same sources against the package TorchSharp-cuda-linux, which brings its own libtorch ------------------
FROM sdk AS build-cuda
WORKDIR /source
COPY . .
RUN for program in SaeUnbox.Web SaeUnbox.Cli; do \
      dotnet publish src/$program --configuration Release --runtime linux-x64 --no-self-contained \
        -p:UpstreamPackages=true --output /app --nologo || exit 1; \
    done

FROM nvidia/cuda:${CUDA}-base-ubuntu22.04 AS cuda
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1654 app && useradd --uid 1654 --gid app --no-create-home --home-dir /tmp app \
 && install -d -o app -g app /out /data
COPY --from=sdk /usr/share/dotnet/dotnet /usr/share/dotnet/dotnet
COPY --from=sdk /usr/share/dotnet/host /usr/share/dotnet/host
COPY --from=sdk /usr/share/dotnet/shared /usr/share/dotnet/shared
COPY --from=build-cuda /app /app
ENV DOTNET_ROOT=/usr/share/dotnet DOTNET_EnableDiagnostics=0 HOME=/tmp ASPNETCORE_URLS=http://+:8080 SaeUnbox__Sharing__File=/data/shares.db
USER 1654:1654
WORKDIR /out
EXPOSE 8080
ENTRYPOINT ["/app/SaeUnbox.Web"]
