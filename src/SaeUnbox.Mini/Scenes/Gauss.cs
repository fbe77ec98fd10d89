namespace SaeUnbox.Mini.Scenes;

/// <summary>The standard normal distribution.</summary>
internal static class Gauss
{
    /// <summary>Draws a number with the Box-Muller transform.</summary>
    public static double Next(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>P(Z &lt;= z), with an error of at most 1.5e-7 (Abramowitz and Stegun, 7.1.26).</summary>
    public static double Distribution(double z)
    {
        var x = Math.Abs(z) / Math.Sqrt(2);
        var t = 1 / (1 + 0.3275911 * x);
        var tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.Exp(-x * x);
        return z < 0 ? tail / 2 : 1 - tail / 2;
    }
}
