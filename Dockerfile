# The page and the command line in one image; docs/serving.md tells of settings and roles.
#   CPU:   docker build --target cpu -t saeunbox .
#          docker run --rm --read-only --tmpfs /tmp -p 8080:8080 -v saeunbox:/data saeunbox
#          docker run --rm --read-only --tmpfs /tmp -v "$PWD/models:/models:ro" -v "$PWD/out:/out" --entrypoint /app/saeunbox saeunbox \
#            generate --model /models/sdxl-turbo --prompt "a dog" --out /out/dog.png
#   CUDA:  docker build --target cuda -t saeunbox:cuda .
#          docker run --rm --gpus all ... saeunbox:cuda --model /models/sdxl-turbo --saes /models/sdxl-saes --device cuda --dtype fp16
# The programs run as the user 1654 and write to /data, /out and /tmp alone; what is mounted there must let that user write.

ARG DOTNET=10.0-noble
ARG CUDA=12.8.1

FROM mcr.microsoft.com/dotnet/sdk:${DOTNET} AS source
WORKDIR /source
COPY . .

# .NET with what it needs of the system (ICU, OpenSSL), on Ubuntu 24.04; it has the user app, 1654.
FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET} AS dotnet

# ---- CPU ---------------------------------------------------------------------------------------------------------------
FROM source AS build-cpu
RUN for program in SaeUnbox.Web SaeUnbox.Cli; do \
      dotnet publish src/$program --configuration Release --no-self-contained --output /app --nologo || exit 1; \
    done

FROM dotnet AS cpu
RUN install -d -o app -g app /out /data
COPY --from=build-cpu /app /app
ENV DOTNET_EnableDiagnostics=0 HOME=/tmp ASPNETCORE_HTTP_PORTS=8080 SaeUnbox__Sharing__File=/data/shares.db
USER 1654:1654
WORKDIR /out
EXPOSE 8080
ENTRYPOINT ["/app/SaeUnbox.Web"]

# ---- CUDA --------------------------------------------------------------------------------------------------------------
FROM source AS build-cuda
RUN for program in SaeUnbox.Web SaeUnbox.Cli; do \
      dotnet publish src/$program --configuration Release --no-self-contained -p:Torch=cuda --output /app --nologo || exit 1; \
    done

# Ubuntu 24.04: the libstdc++ of 22.04 is too old for TorchSharp's CUDA build.
FROM nvidia/cuda:${CUDA}-base-ubuntu24.04 AS cuda
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libicu74 libssl3t64 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1654 app && useradd --uid 1654 --gid app --no-create-home --home-dir /tmp app \
 && install -d -o app -g app /out /data
COPY --from=dotnet /usr/share/dotnet /usr/share/dotnet
COPY --from=build-cuda /app /app
ENV DOTNET_ROOT=/usr/share/dotnet DOTNET_EnableDiagnostics=0 HOME=/tmp ASPNETCORE_HTTP_PORTS=8080 SaeUnbox__Sharing__File=/data/shares.db
USER 1654:1654
WORKDIR /out
EXPOSE 8080
ENTRYPOINT ["/app/SaeUnbox.Web"]
