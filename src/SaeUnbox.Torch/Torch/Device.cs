using System.Globalization;

namespace TorchSharp;

public static partial class torch
{
    public static readonly Device CPU = new(DeviceType.CPU);
    public static Device CUDA { get; } = new(DeviceType.CUDA);

    /// <summary>Tensors with shapes and no memory.</summary>
    public static readonly Device META = new(DeviceType.META);

    public static Device device(string description) => new(description);

    public static Device device(DeviceType deviceType, int index = -1) => new(deviceType, index);

    /// <summary>A device: its type and, for CUDA, its index (-1: the current one).</summary>
    public class Device
    {
        /// <param name="description"><c>type[:index]</c>, such as <c>cpu</c> or <c>cuda:1</c>.</param>
        /// <exception cref="ArgumentException">The description names no device.</exception>
        public Device(string description)
        {
            var parts = description.Split(':');
            if (parts.Length > 2 || !Enum.TryParse<DeviceType>(parts[0], ignoreCase: true, out var parsed) || char.IsAsciiDigit(parts[0][0]))
                throw new ArgumentException($"'{description}' is no device; use cpu, cuda or cuda:N.", nameof(description));
            type = parsed;
            if (parts.Length == 2)
                index = int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= sbyte.MaxValue
                    ? number
                    : throw new ArgumentException($"'{description}': the part after the colon is no device index.", nameof(description));
        }

        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = index;
        }

        public DeviceType type { get; }

        public int index { get; } = -1;

        public override string ToString() => index < 0
            ? type.ToString().ToLowerInvariant()
            : string.Create(CultureInfo.InvariantCulture, $"{type.ToString().ToLowerInvariant()}:{index}");

        public static implicit operator Device(string description) => new(description);
    }
}
